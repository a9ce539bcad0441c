package delivertest

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// SFTP is an SSH server in this process that keeps files in memory. The tests
// use OpenSSH's besides: this one can be told to misbehave.
type SFTP struct {
	Port int
	// Renamed, if set, is called when a file has its final name and before the
	// client is told.
	Renamed func(name string)
	// Write, if set, may refuse the writing of a file.
	Write func(name string) error

	handlers sftp.Handlers
	config   *ssh.ServerConfig
	wg       sync.WaitGroup
	mu       sync.Mutex
	names    []string
}

// NewSFTP serves on a port of its own.
func NewSFTP(t testing.TB) *SFTP {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := ServeSFTP(t, l)
	s.Port = l.Addr().(*net.TCPAddr).Port
	return s
}

// ServeSFTP serves a listener until the test ends.
func ServeSFTP(t testing.TB, l net.Listener) *SFTP {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &SFTP{Port: 22, config: &ssh.ServerConfig{PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if c.User() != User || string(password) != Password {
			return nil, errors.New("wrong name or password")
		}
		return nil, nil
	}}}
	s.config.AddHostKey(signer)
	s.handlers = sftp.InMemHandler()
	files := s.handlers
	s.handlers.FilePut = s.puts(files.FilePut)
	s.handlers.FileCmd = &renames{files.FileCmd, s}
	s.wg.Go(func() { s.serve(l) })
	t.Cleanup(func() {
		l.Close()
		s.wg.Wait()
	})
	return s
}

// Fields are the settings of a delivery into a directory of the server.
func (s *SFTP) Fields() map[string]any {
	return map[string]any{"host": "127.0.0.1", "port": s.Port, "username": User, "password": Password, "directory": "/in"}
}

// Files returns the files that have their final names, in the order in which
// they got them; one that was replaced is there twice.
func (s *SFTP) Files() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.names...)
}

// Read returns a file's content.
func (s *SFTP) Read(t testing.TB, name string) string {
	t.Helper()
	get := sftp.NewRequest("Get", name)
	get.Flags = 1 // SSH_FXF_READ
	r, err := s.handlers.FileGet.Fileread(get)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(r, 0, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (s *SFTP) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			defer conn.Close()
			s.talk(conn)
		})
	}
}

// talk serves one connection; what goes wrong is the client's to tell.
func (s *SFTP) talk(conn net.Conn) {
	shell, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	defer shell.Close()
	s.wg.Go(func() { ssh.DiscardRequests(requests) })
	for offered := range channels {
		if offered.ChannelType() != "session" {
			offered.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			for r := range requests {
				r.Reply(r.Type == "subsystem" && string(r.Payload[4:]) == "sftp", nil)
			}
		})
		s.wg.Go(func() {
			server := sftp.NewRequestServer(channel, s.handlers)
			server.Serve() // ends with the connection
			server.Close()
		})
	}
}

// puts has Write asked before a file is written.
func (s *SFTP) puts(next sftp.FileWriter) sftp.FileWriter { return &writes{next, s} }

type writes struct {
	sftp.FileWriter
	s *SFTP
}

func (w *writes) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	if w.s.Write != nil {
		if err := w.s.Write(r.Filepath); err != nil {
			return nil, err
		}
	}
	f, err := w.FileWriter.Filewrite(r)
	// Without its method TransferError, which would keep a file that was cut off
	// from ever being written again.
	return struct{ io.WriterAt }{f}, err
}

// renames notes the files that get their final names.
type renames struct {
	sftp.FileCmder
	s *SFTP
}

func (c *renames) Filecmd(r *sftp.Request) error {
	err := c.FileCmder.Filecmd(r)
	c.note(r, err)
	return err
}

// PosixRename implements sftp.PosixRenameFileCmder.
func (c *renames) PosixRename(r *sftp.Request) error {
	err := c.FileCmder.(sftp.PosixRenameFileCmder).PosixRename(r)
	c.note(r, err)
	return err
}

func (c *renames) note(r *sftp.Request, err error) {
	if err != nil || r.Target == "" {
		return
	}
	c.s.mu.Lock()
	c.s.names = append(c.s.names, r.Target)
	c.s.mu.Unlock()
	if c.s.Renamed != nil {
		c.s.Renamed(r.Target)
	}
}
