package delivertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Name and password that the servers of this package want.
const (
	User     = "shoal"
	Password = "s3cret"
)

// PostOffice is a real SMTP server that keeps what it gets.
type PostOffice struct {
	Server   *smtp.Server
	Listener net.Listener
	Port     int
	Roots    *x509.CertPool
	// CA is the certificate to trust, in PEM.
	CA []byte
	// Open: no log-in is wanted.
	Open bool
	// Refuse, if it gives an error, refuses a recipient.
	Refuse func(to string) error
	// TakeData, if set, answers for a mail that has arrived; nil takes it.
	TakeData func(s *Session, text []byte) error

	mu    sync.Mutex
	mails []Letter
}

// Letter is a mail as it came.
type Letter struct {
	To   string
	Text []byte
}

// NewPostOffice serves "starttls", "tls" or "none" on a port of its own.
func NewPostOffice(t testing.TB, kind string) *PostOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := ServePostOffice(t, l, kind)
	p.Port = l.Addr().(*net.TCPAddr).Port
	return p
}

// ServePostOffice serves "starttls", "tls" or "none" to a listener.
func ServePostOffice(t testing.TB, l net.Listener, kind string) *PostOffice {
	t.Helper()
	p := &PostOffice{}
	var cert tls.Certificate
	cert, p.Roots, p.CA = Certificate(t, time.Now().Add(time.Hour), "127.0.0.1")
	p.Server = smtp.NewServer(p)
	p.Server.Domain, p.Server.AllowInsecureAuth = "mail.test", kind == "none"
	p.Server.ErrorLog = discard{}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	switch kind {
	case "starttls":
		p.Server.TLSConfig = config
	case "tls":
		l = tls.NewListener(l, config)
	}
	p.Listener = l
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.Server.Serve(l) // ends with Close
	}()
	t.Cleanup(func() {
		p.Server.Close()
		<-served
	})
	return p
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

// Certificate makes a self-signed certificate for names and addresses, and
// the pool (and PEM) that trusts it.
func Certificate(t testing.TB, until time.Time, names ...string) (tls.Certificate, *x509.CertPool, []byte) {
	t.Helper()
	cert, text, err := Issue(until, names...)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return cert, roots, text
}

// Issue makes a self-signed certificate for names and addresses; text is it in
// PEM, for those who are to trust it.
func Issue(until time.Time, names ...string) (cert tls.Certificate, text []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return cert, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, text, err
}

// NewSession implements smtp.Backend.
func (p *PostOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &Session{office: p, Conn: c, known: p.Open}, nil
}

// Got returns the mails so far and forgets them.
func (p *PostOffice) Got() []Letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.mails
	p.mails = nil
	return m
}

// Session is a client's connection to the post office.
type Session struct {
	Conn   *smtp.Conn
	office *PostOffice
	to     string
	known  bool
}

// AuthMechanisms implements smtp.AuthSession.
func (s *Session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (s *Session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != User || password != Password {
			return errors.New("wrong name or password")
		}
		s.known = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *Session) Mail(string, *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	return nil
}

// Rcpt implements smtp.Session.
func (s *Session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	if s.office.Refuse != nil {
		return s.office.Refuse(to)
	}
	return nil
}

// Data implements smtp.Session: what it takes it keeps before it answers.
func (s *Session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.office.TakeData != nil {
		if err := s.office.TakeData(s, text); err != nil {
			return err
		}
	}
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.mails = append(s.office.mails, Letter{s.to, text})
	return nil
}

// HangUp ends the connection.
func (s *Session) HangUp() error {
	s.Conn.Conn().Close()
	return io.ErrUnexpectedEOF
}

// Reset implements smtp.Session.
func (s *Session) Reset() {}

// Logout implements smtp.Session.
func (s *Session) Logout() error { return nil }
