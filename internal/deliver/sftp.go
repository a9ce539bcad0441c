package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"shoal"
)

// server puts a run's file on an SSH server.
type server struct {
	dial  Dial
	files *files
}

// serverConfig is the channel's config.
type serverConfig struct {
	Host       string `json:"host"`
	Port       int    `json:"port"`
	Username   string `json:"username"`
	Password   string `json:"password"`
	PrivateKey string `json:"private_key"`
	Directory  string `json:"directory"`
	// HostKey is the server's public key as in authorized_keys; the first one
	// seen is stored.
	HostKey string `json:"host_key"`
	shoal.ExportForm
}

func (s *server) send(ctx context.Context, p *parcel) Answer {
	var c serverConfig
	if err := p.read(&c); err != nil {
		return Answer{Detail: err.Error(), final: true}
	}
	a := Answer{Target: c.Host}
	auth, err := c.auth()
	if err != nil {
		a.Detail, a.final = err.Error(), true
		return a
	}
	seen := c.HostKey
	client, err := s.connect(ctx, &c, auth, &seen)
	if err != nil {
		a.Detail = c.explain(err)
		return a
	}
	defer client.Close()
	a.Target, err = s.put(ctx, client, &c, p.delivery)
	if lost := client.line.cause(); lost != nil && errors.Is(err, sftp.ErrSSHFxConnectionLost) {
		err = lost
	}
	if err != nil {
		a.Detail = c.explain(err)
		return a
	}
	a.OK, a.Detail = true, "The file is on the server"
	if seen != c.HostKey {
		a.learned = withHostKey(p.config, seen)
	}
	return a
}

// CheckHostKey says what is wrong with a host key that a person gives.
func CheckHostKey(key string) error {
	if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key)); err != nil {
		return errors.New("it must be a public key such as ssh-keyscan prints after the host: ssh-ed25519 AAAA…")
	}
	return nil
}

// auth are the ways to log in.
func (c *serverConfig) auth() ([]ssh.AuthMethod, error) {
	var ways []ssh.AuthMethod
	if c.PrivateKey != "" {
		key, err := ssh.ParsePrivateKey([]byte(c.PrivateKey))
		if missing, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok && missing != nil {
			return nil, errors.New("the private key has a passphrase: give one without")
		}
		if err != nil {
			return nil, errors.New("the private key cannot be read: give it in PEM or OpenSSH form, from its first line to its last")
		}
		ways = append(ways, ssh.PublicKeys(key))
	}
	if c.Password != "" {
		ways = append(ways, ssh.Password(c.Password), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = c.Password
			}
			return answers, nil
		}))
	}
	return ways, nil
}

// hostKeyError says that the server is not the one that was seen before.
type hostKeyError struct{ seen, pinned string }

func (e *hostKeyError) Error() string {
	return fmt.Sprintf("The server's key is %s, and %s is the one that is known. If it was changed on purpose, set the delivery anew; if not, somebody may stand in between", e.seen, e.pinned)
}

// connect opens an SFTP session. seen becomes the server's key; one that is
// known must match.
func (s *server) connect(ctx context.Context, c *serverConfig, auth []ssh.AuthMethod, seen *string) (*session, error) {
	address := net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	conn, err := s.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// The end of ctx ends whatever the session waits for.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	config := &ssh.ClientConfig{User: c.Username, Auth: auth, ClientVersion: "SSH-2.0-Shoal",
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error { return pin(c.HostKey, key, seen) }}
	if known, _, _, _, err := ssh.ParseAuthorizedKey([]byte(c.HostKey)); err == nil {
		config.HostKeyAlgorithms = algorithms(known.Type())
	}
	line := &patient{Conn: conn}
	shell, chans, reqs, err := ssh.NewClientConn(line, address, config)
	if err != nil {
		stop()
		return nil, errors.Join(err, conn.Close())
	}
	client := ssh.NewClient(shell, chans, reqs)
	files, err := sftp.NewClient(client)
	if err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("the server offers no SFTP: %w", err), client.Close())
	}
	return &session{files, client, line, stop}, nil
}

// pin accepts the key that is known, or the first.
func pin(known string, key ssh.PublicKey, seen *string) error {
	*seen = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	if known == "" || *seen == strings.Join(strings.Fields(known)[:min(2, len(strings.Fields(known)))], " ") {
		return nil
	}
	old := "another"
	if k, _, _, _, err := ssh.ParseAuthorizedKey([]byte(known)); err == nil {
		old = ssh.FingerprintSHA256(k)
	}
	return &hostKeyError{ssh.FingerprintSHA256(key), old}
}

// algorithms are those of the pinned key's kind: a server with several keys is
// asked for the one that is known.
func algorithms(kind string) []string {
	if kind == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{kind}
}

// session is an SFTP session on a connection of its own.
type session struct {
	*sftp.Client
	shell *ssh.Client
	line  *patient
	stop  func() bool
}

func (s *session) Close() {
	s.stop()
	s.Client.Close()
	s.shell.Close()
}

// put writes the file beside its place and renames it, so that who looks into
// the directory never sees half of it. A repeat replaces it.
func (s *server) put(ctx context.Context, client *session, c *serverConfig, d *shoal.Delivery) (where string, err error) {
	var from io.Reader = strings.NewReader(testText)
	size := int64(len(testText))
	name := path.Join(orDot(c.Directory), fileName(d, c.Format))
	if d.Event == shoal.EventTest {
		name = path.Join(orDot(c.Directory), "shoal-test.txt")
	} else {
		file, n, err := s.files.open(ctx, d.RunID, c.ExportForm)
		if err != nil {
			return c.Host, err
		}
		defer file.Close()
		from, size = file, n
	}
	where = c.Host + ":" + name
	if err := client.MkdirAll(path.Dir(name)); err != nil {
		return where, fmt.Errorf("make the directory %s: %w", path.Dir(name), err)
	}
	if err := upload(ctx, client, name+".part", from, size); err != nil {
		return where, err
	}
	if err := replace(client, name+".part", name); err != nil {
		return where, fmt.Errorf("rename %s.part: %w", name, err)
	}
	if d.Event == shoal.EventTest {
		client.Remove(name) // that it may not is no failure: deliveries remove nothing
	}
	return where, nil
}

func orDot(directory string) string {
	if directory == "" {
		return "."
	}
	return directory
}

// upload writes a file and makes sure that all of it arrived. A size of -1 is
// one that is not known.
func upload(ctx context.Context, client *session, name string, from io.Reader, size int64) (err error) {
	ctx, file, over := newPaced(ctx, from)
	defer over()
	// The end of the transfer's time ends what the session waits for.
	defer context.AfterFunc(ctx, func() { client.shell.Close() })()
	f, err := client.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	// Many writes at a time: one waits for the whole way to the server and back.
	sent, err := f.ReadFromWithConcurrency(file, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return file.verdict(ctx, fmt.Errorf("write %s: %w", name, err))
	}
	if size >= 0 && sent != size {
		return fmt.Errorf("the run's file has %d bytes, and %d could be read: make it again with POST /v1/runs/ID/export, then redeliver", size, sent)
	}
	info, err := client.Stat(name)
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	if info.Size() != sent {
		return fmt.Errorf("%s has %d bytes on the server, and %d were sent: its disk may be full", name, info.Size(), sent)
	}
	return nil
}

// replace renames over what is there, also on servers that know only the plain rename.
func replace(client *session, from, to string) error {
	if err := client.PosixRename(from, to); err == nil {
		return nil
	}
	client.Remove(to) // it need not be there
	return client.Rename(from, to)
}

// explain says what the server said.
func (c *serverConfig) explain(err error) string {
	if e, ok := errors.AsType[*hostKeyError](err); ok {
		return e.Error()
	}
	said, refused := errors.AsType[*sftp.StatusError](err)
	switch {
	case strings.Contains(err.Error(), "unable to authenticate"):
		return fmt.Sprintf("%s does not accept the user name %s with this password or key", c.Host, clip(c.Username, 60))
	case errors.Is(err, os.ErrPermission), refused && strings.Contains(strings.ToLower(said.Error()), "permission denied"):
		return fmt.Sprintf("%s: %s may not %s. Choose another directory, or have the right given", c.Host, clip(c.Username, 60), clip(bare(err), maxDetail))
	case refused, errors.Is(err, os.ErrNotExist):
		return fmt.Sprintf("%s could not %s", c.Host, clip(bare(err), maxDetail))
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("%s closed the connection before it answered: is %d the port of its SSH server, and may this machine connect?", c.Host, c.Port)
	}
	return explain(err, c.Host, stall)
}

// bare is the error without the protocol's own names for it.
func bare(err error) string {
	return strings.ReplaceAll(regexp.MustCompile(`sftp: "([^"]*)" \(SSH_FX_\w+\)`).ReplaceAllString(err.Error(), "$1"), ": Failure",
		": the server gives no reason; a full disk or a missing right are the usual ones")
}

// withHostKey returns the config with the server's key.
func withHostKey(config []byte, key string) []byte {
	var m map[string]any
	if json.Unmarshal(config, &m) != nil {
		return nil
	}
	m["host_key"] = key
	out, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return out
}
