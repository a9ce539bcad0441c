package pgtest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// startAttempts is how often a cluster is started on another port when the
// one chosen was taken in between.
const startAttempts = 5

// maxSocketDir is the longest directory in which a Unix socket fits: its whole
// path may have 107 bytes.
const maxSocketDir = 80

// options make the cluster fast and small. Durability is given up on purpose.
const options = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off " +
	"-c max_connections=200 -c shared_buffers=64MB -c timezone=UTC -c log_timezone=UTC"

// supervise waits for its standard input, a pipe from the test binary, to
// close; the kernel closes it even after kill -9. $1 is the directory of the
// binaries, $2 the cluster's.
const supervise = `cat >/dev/null; "$1/pg_ctl" -D "$2/data" -m immediate -w stop; rm -rf "$2"`

// supervisorPipe keeps the supervisor's standard input open as long as this
// process lives. It is a variable of the package so that no finalizer closes it.
var supervisorPipe *os.File

// cluster is a PostgreSQL cluster being made.
type cluster struct {
	bin  string              // directory of the binaries
	dir  string              // its own directory, removed at the end
	cred *syscall.Credential // who runs it; nil: this process's user
}

// startCluster makes a cluster, starts it and returns its administrative URL.
func startCluster() (*url.URL, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	c := cluster{bin: bin}
	if c.cred, err = runAs(); err != nil {
		return nil, err
	}
	if err := c.makeDir(); err != nil {
		return nil, fmt.Errorf("make the cluster's directory: %w", err)
	}
	if err := c.supervise(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the supervisor: %w", err), os.RemoveAll(c.dir))
	}
	err = c.run("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if err == nil {
		var u *url.URL
		if u, err = c.start(); err == nil {
			return u, nil
		}
	}
	return nil, errors.Join(err, supervisorPipe.Close()) // it tidies up
}

// findBinaries returns the directory of the newest PostgreSQL installed.
func findBinaries() (string, error) {
	var best string
	var bestVersion float64
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian keeps them off PATH
	for _, path := range found {
		dir := filepath.Dir(path)
		version, err := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64)
		if err == nil && version > bestVersion {
			best, bestVersion = dir, version
		}
	}
	if best != "" {
		return best, nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", fmt.Errorf("PostgreSQL is not installed (no initdb in /usr/lib/postgresql/*/bin or PATH): "+
			"apt-get install postgresql, or set %s to the URL of a server", Env)
	}
	return filepath.Dir(path), nil
}

// runAs returns who must run the cluster. PostgreSQL refuses to run as root,
// so root becomes postgres, or nobody where that user is missing.
func runAs() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, fmt.Errorf("look up user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")
}

func (c *cluster) makeDir() error {
	base := os.TempDir()
	if len(base) > maxSocketDir-len("/shoal-pg-0123456789") {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "shoal-pg-")
	if err != nil {
		return err
	}
	c.dir = dir
	if c.cred == nil {
		return nil
	}
	return os.Chown(dir, int(c.cred.Uid), int(c.cred.Gid))
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// supervise starts the process that outlives this one and tidies up. It is in
// a session of its own, so that a Ctrl-C at the terminal spares it.
func (c *cluster) supervise() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", supervise, "sh", c.bin, c.dir)
	cmd.Dir = "/"
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.cred}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	supervisorPipe = w
	return cmd.Process.Release()
}

// start runs the server on a free loopback port.
func (c *cluster) start() (*url.URL, error) {
	var failed error
	for range startAttempts {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		listen := fmt.Sprintf(" -p %d -c listen_addresses=127.0.0.1 -k %s", port, c.dir)
		failed = c.run("pg_ctl", "-D", c.data(), "-l", c.logFile(), "-o", options+listen, "-w", "-t", "60", "start")
		if failed == nil {
			u := &url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: "sslmode=disable"}
			u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			return u, nil
		}
	}
	log, _ := os.ReadFile(c.logFile())
	return nil, fmt.Errorf("%w\nthe server's log:\n%s", failed, log)
}

func (c *cluster) logFile() string { return filepath.Join(c.dir, "log") }

// run runs one of PostgreSQL's programs. Its output goes to a file, never to a
// pipe: the server inherits it, and a pipe would keep the caller waiting.
func (c *cluster) run(program string, args ...string) error {
	out, err := os.CreateTemp(c.dir, program+"-")
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+c.dir)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred}
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(text)))
	}
	return nil
}

// freePort returns a loopback port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
