package deliver_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/store/storetest"
)

// sshServer is OpenSSH's own server on a port of the test.
type sshServer struct {
	t    *testing.T
	dir  string
	port int
	key  string // private, of the user
	cmd  *exec.Cmd
}

func newSSHServer(t *testing.T) *sshServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sshServer{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	l.Close()
	s.keygen("user")
	key, err := os.ReadFile(filepath.Join(s.dir, "user"))
	if err != nil {
		t.Fatal(err)
	}
	s.key = string(key)
	t.Cleanup(s.stop)
	return s
}

func (s *sshServer) keygen(name string) {
	s.t.Helper()
	if said, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, name)).CombinedOutput(); err != nil {
		s.t.Fatalf("ssh-keygen: %v\n%s", err, said)
	}
}

// start starts the server with the host key of that name.
func (s *sshServer) start(hostKey string) {
	s.t.Helper()
	if _, err := os.Stat(filepath.Join(s.dir, hostKey)); err != nil {
		s.keygen(hostKey)
	}
	config := filepath.Join(s.dir, "sshd_config")
	text := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
		s.port, filepath.Join(s.dir, hostKey), filepath.Join(s.dir, "user.pub"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	s.cmd = exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", config)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "listening on") {
			go func() {
				for lines.Scan() {
				}
			}()
			return
		}
	}
	s.t.Fatal("sshd does not listen")
}

func (s *sshServer) stop() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *sshServer) fields(directory string) map[string]any {
	return map[string]any{"host": "127.0.0.1", "port": s.port, "username": userName(), "private_key": s.key, "directory": directory}
}

func userName() string {
	if name := os.Getenv("USER"); name != "" && os.Geteuid() != 0 {
		return name
	}
	return "root"
}

func TestSFTP(t *testing.T) {
	e := storetest.SQLite(t)
	s := newSSHServer(t)
	s.start("host")
	blobs := newBlobs(t)
	f := newOffice(t, e, func(o *deliver.Options) { o.Blob = blobs })
	into := filepath.Join(t.TempDir(), "made", "for us")
	f.set(map[shoal.Channel]map[string]any{shoal.ChannelSFTP: s.fields(into)})
	deliverRun := func(content string) shoal.Delivery {
		t.Helper()
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.store(blobs, run.ID, content)
		f.exported(run.ID)
		f.deliver(shoal.ChannelSFTP, 1)
		return f.log(run.ID)[0]
	}
	d := deliverRun("name\nMüller\n" + strings.Repeat("0123456789abcdef\n", 300_000))
	if d.Status != shoal.DeliveryDelivered {
		t.Fatalf("%+v", d)
	}
	name := strings.TrimPrefix(d.Target, "127.0.0.1:")
	if got, err := os.ReadFile(name); err != nil || len(got) != 12+1+17*300_000 || filepath.Dir(name) != into {
		t.Errorf("%s: %d bytes, %v", name, len(got), err)
	}
	if left, _ := filepath.Glob(filepath.Join(into, "*.part")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	// A repeat replaces the file.
	if _, err := e.Store.Redeliver(t.Context(), e.Workspace, d.ID); err != nil {
		t.Fatal(err)
	}
	f.deliver(shoal.ChannelSFTP, 1)
	if all, _ := os.ReadDir(into); len(all) != 1 {
		t.Errorf("%d files after a repeat", len(all))
	}
	// The key was kept at the first delivery: another one is refused.
	s.stop()
	s.start("impostor")
	d = deliverRun("name\n")
	if d.Status != shoal.DeliveryPending || !strings.Contains(d.Detail, "The server's key is SHA256:") {
		t.Errorf("another host key: %s %q", d.Status, d.Detail)
	}
	// Set anew, the new one is the first seen.
	f.set(map[shoal.Channel]map[string]any{shoal.ChannelSFTP: s.fields(into)})
	f.due()
	f.deliver(shoal.ChannelSFTP, 1)
	if log, err := e.Store.Delivery(t.Context(), e.Workspace, d.ID); err != nil || log.Status != shoal.DeliveryDelivered {
		t.Errorf("after setting it anew: %+v, %v", log, err)
	}
}

// TestFaultsOfSFTP: the log says what the server said, and the same test as for
// a delivery says it beforehand.
func TestFaultsOfSFTP(t *testing.T) {
	e := storetest.SQLite(t)
	s := newSSHServer(t)
	s.start("host")
	blobs := newBlobs(t)
	silent, _ := listenAt(t, "127.0.0.1:0")
	defer silent.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil  func(map[string]any)
		status shoal.DeliveryStatus
		detail string
	}{
		"wrong key": {func(f map[string]any) {
			s.keygen("other")
			b, _ := os.ReadFile(filepath.Join(s.dir, "other"))
			f["private_key"] = string(b)
		}, shoal.DeliveryPending, "does not accept the user name"},
		"no key":            {func(f map[string]any) { f["private_key"] = "-----BEGIN" }, shoal.DeliveryFailed, "cannot be read"},
		"down at the start": {func(f map[string]any) { f["port"] = 1 }, shoal.DeliveryPending, "refuses the connection"},
		"closes":            {func(f map[string]any) { f["port"] = silent.Addr().(*net.TCPAddr).Port }, shoal.DeliveryPending, "closed the connection"},
		"no directory":      {func(f map[string]any) { f["directory"] = file + "/below" }, shoal.DeliveryPending, "make the directory"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newOffice(t, e, func(o *deliver.Options) { o.Blob = blobs })
			fields := s.fields(t.TempDir())
			c.spoil(fields)
			f.set(map[shoal.Channel]map[string]any{shoal.ChannelSFTP: fields})
			run := e.Run(t, f.squid, shoal.RunSettings{})
			f.store(blobs, run.ID, "name\nx\n")
			f.exported(run.ID)
			f.deliver(shoal.ChannelSFTP, 1)
			d := f.log(run.ID)[0]
			if d.Status != c.status || !strings.Contains(d.Detail, c.detail) || strings.Contains(d.Detail, "BEGIN") {
				t.Errorf("%s %q, want %s and %q", d.Status, d.Detail, c.status, c.detail)
			}
		})
	}
}
