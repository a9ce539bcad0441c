package deliver_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/mail"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/deliver"
	"shoal/internal/store/storetest"
)

// postOffice is a real SMTP server that keeps what it gets.
type postOffice struct {
	server   *smtp.Server
	listener net.Listener
	port     int
	roots    *x509.CertPool

	mu     sync.Mutex
	mails  []letter
	refuse error // of the recipient
	hangUp bool  // in the middle of the message
}

type letter struct {
	to   string
	text []byte
}

// newPostOffice serves "starttls" (with a log-in), "tls" or "none".
func newPostOffice(t *testing.T, kind string) *postOffice {
	t.Helper()
	p := &postOffice{}
	cert, roots := selfSigned(t)
	p.roots = roots
	p.server = smtp.NewServer(p)
	p.server.Domain, p.server.AllowInsecureAuth = "mail.test", false
	p.server.ErrorLog = discard{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = l.Addr().(*net.TCPAddr).Port
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	switch kind {
	case "starttls":
		p.server.TLSConfig = config
	case "tls":
		l = tls.NewListener(l, config)
	}
	p.listener = l
	go p.server.Serve(l) // ends with Close
	t.Cleanup(func() { p.server.Close() })
	return p
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{office: p, conn: c}, nil
}

func (p *postOffice) got() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.mails
	p.mails = nil
	return m
}

// settings are those of a client of the server.
func (p *postOffice) settings(kind string) deliver.MailServer {
	return deliver.MailServer{Host: "127.0.0.1", Port: p.port, TLS: kind, Username: "shoal", Password: "s3cret",
		From: "Shoal <shoal@mail.test>", Roots: p.roots}
}

type session struct {
	office *postOffice
	conn   *smtp.Conn
	to     string
	known  bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "shoal" || password != "s3cret" {
			return errors.New("wrong name or password")
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	return s.office.refuse
}

func (s *session) Data(r io.Reader) error {
	if s.office.hangUp {
		s.conn.Conn().Close()
		return io.ErrUnexpectedEOF
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.mails = append(s.office.mails, letter{s.to, text})
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// open takes a mail apart: its header and, by content type, its parts.
func open(t *testing.T, l letter) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(l.text))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	readParts(t, m.Header.Get("Content-Type"), m.Body, parts)
	return m.Header, parts
}

func readParts(t *testing.T, contentType string, body io.Reader, into map[string]string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		into[kind] = string(text)
		return
	}
	for r := multipart.NewReader(body, params["boundary"]); ; {
		part, err := r.NextPart() // undoes quoted-printable
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		readParts(t, part.Header.Get("Content-Type"), part, into)
	}
}

func TestEmailOfARun(t *testing.T) {
	for _, kind := range []string{"starttls", "tls"} {
		t.Run(kind, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, e *storetest.Env) {
				p := newPostOffice(t, kind)
				f := newOffice(t, e, func(o *deliver.Options) {
					o.Mail = p.settings(kind)
					o.Link = func(_ shoal.WorkspaceID, run shoal.RunID) string { return "https://shoal.test/d/" + string(run) }
				})
				e.Exec(t, `UPDATE squids SET name = $1 WHERE id = $2`, "Bücher <b>&\r\nBcc: x@y.z", string(f.squid))
				f.set(map[shoal.Channel]map[string]any{shoal.ChannelEmail: {"email": "me@example.com"}})
				run := e.Run(t, f.squid, shoal.RunSettings{})
				f.end(run.ID, shoal.RunPaused) // no mail
				f.exported(run.ID)
				f.deliver(shoal.ChannelEmail, 2)
				mails := p.got()
				if len(mails) != 1 || mails[0].to != "me@example.com" {
					t.Fatalf("mails %v, log %+v", mails, f.log(run.ID))
				}
				header, parts := open(t, mails[0])
				subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
				if err != nil || subject != "Bücher <b>& Bcc: x@y.z is done: 0 results" || header.Get("Bcc") != "" {
					t.Errorf("subject %q, %v, Bcc %q", subject, err, header.Get("Bcc"))
				}
				id := string(f.log(run.ID)[0].ID)
				if header.Get("X-Shoal-Delivery") != id || !strings.Contains(header.Get("Message-ID"), id) {
					t.Errorf("header %v, want the delivery's id", header)
				}
				link := "https://shoal.test/d/" + string(run.ID)
				if text := parts["text/plain"]; !strings.Contains(text, link) || !strings.Contains(text, "Results:") {
					t.Errorf("text: %s", text)
				}
				if html := parts["text/html"]; !strings.Contains(html, `href="`+link) || !strings.Contains(html, "Bücher &lt;b&gt;&amp;") || strings.Contains(html, "<b>") {
					t.Errorf("HTML: %s", html)
				}
				r, err := e.Store.RunByID(t.Context(), run.ID)
				if err != nil || !r.EmailDone || r.EmailTime.IsZero() {
					t.Errorf("the run: email_done %v at %v, %v", r.EmailDone, r.EmailTime, err)
				}
			})
		})
	}
}

// exported ends a run with an export of its own.
func (f *office) exported(run shoal.RunID) {
	f.t.Helper()
	_, err := f.Store.ChangeRun(f.t.Context(), run, "engine", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		r.Status, r.DoneReason, r.DoneReasonDesc, r.EndedAt, r.ExportDone, r.ExportTime = shoal.RunDone, "tasks_done", "All tasks are done.", now, true, now
		return 0, nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// store puts a file of the run's results into a blob store.
func (f *office) store(blobs blob.Store, run shoal.RunID, content string) {
	f.t.Helper()
	name := "runs/" + string(run) + "/results.csv"
	w, err := blobs.Create(f.t.Context(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		f.t.Fatal(err)
	}
	info, err := w.Commit()
	if err != nil {
		f.t.Fatal(err)
	}
	err = f.Store.SaveExport(f.t.Context(), shoal.Export{RunID: run, Format: shoal.FormatCSV, Blob: name, Size: info.Size, ETag: info.ETag, CreatedAt: time.Now()})
	if err != nil {
		f.t.Fatal(err)
	}
}

func newBlobs(t *testing.T) *blob.Dir {
	t.Helper()
	d, err := blob.OpenDir(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestEmailAttachment(t *testing.T) {
	e := storetest.SQLite(t)
	p, blobs := newPostOffice(t, "starttls"), newBlobs(t)
	f := newOffice(t, e, func(o *deliver.Options) { o.Mail, o.Blob = p.settings("starttls"), blobs })
	f.set(map[shoal.Channel]map[string]any{shoal.ChannelEmail: {"email": "me@example.com", "attach": true}})
	for name, content := range map[string]string{"small": "name\nMüller\n", "large": "name\n" + strings.Repeat("0123456789abcdef\n", 700_000)} {
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.store(blobs, run.ID, content)
		f.exported(run.ID)
		f.deliver(shoal.ChannelEmail, 1)
		mails := p.got()
		if len(mails) != 1 {
			t.Fatalf("%s: %d mails, log %+v", name, len(mails), f.log(run.ID))
		}
		_, parts := open(t, mails[0])
		if _, attached := parts["text/csv"]; attached != (name == "small") {
			t.Errorf("%s: attached %v", name, attached)
		}
		if tooLarge := strings.Contains(parts["text/plain"], "too large for a mail"); tooLarge != (name == "large") {
			t.Errorf("%s: the text says too large: %v", name, tooLarge)
		}
	}
}

// TestRunNotify writes to the workspace's owner when the squid asks to be told
// and names nobody.
func TestRunNotify(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		p := newPostOffice(t, "starttls")
		f := newOffice(t, e, func(o *deliver.Options) { o.Mail = p.settings("starttls") })
		for _, c := range []struct {
			notify string
			status shoal.RunStatus
			mails  int
		}{
			{"on_success", shoal.RunDone, 1}, {"on_success", shoal.RunError, 0}, {"on_error", shoal.RunDone, 0}, {"on_error", shoal.RunError, 1},
			{"", shoal.RunDone, 0}, {"", shoal.RunError, 0}, {"on_error", shoal.RunAborted, 0},
		} {
			if _, err := e.Store.UpdateSquid(t.Context(), e.Workspace, f.squid, shoal.SquidPatch{RunNotify: &c.notify}); err != nil {
				t.Fatal(err)
			}
			run := e.Run(t, f.squid, shoal.RunSettings{})
			f.end(run.ID, c.status)
			f.deliver(shoal.ChannelEmail, 1)
			mails := p.got()
			if len(mails) != c.mails || c.mails == 1 && mails[0].to != "owner@shoal.test" {
				t.Errorf("%q, %s: %d mails, want %d", c.notify, c.status, len(mails), c.mails)
			}
		}
	})
}

// TestFaultsOfMailServers: what is lasting is given up, all else tried again,
// and the log says why.
func TestFaultsOfMailServers(t *testing.T) {
	e := storetest.SQLite(t)
	for name, c := range map[string]struct {
		spoil  func(p *postOffice, s *deliver.MailServer)
		status shoal.DeliveryStatus
		detail string
	}{
		"no such user": {func(p *postOffice, _ *deliver.MailServer) {
			p.refuse = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user here"}
		}, shoal.DeliveryFailed, "No such user here"},
		"greylisted": {func(p *postOffice, _ *deliver.MailServer) {
			p.refuse = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Try again later"}
		}, shoal.DeliveryPending, "Try again later"},
		"down in the middle": {func(p *postOffice, _ *deliver.MailServer) { p.hangUp = true }, shoal.DeliveryPending, "closed the connection"},
		"down at the start":  {func(p *postOffice, _ *deliver.MailServer) { p.listener.Close() }, shoal.DeliveryPending, "refuses the connection"},
		"wrong password":     {func(_ *postOffice, s *deliver.MailServer) { s.Password = "guess" }, shoal.DeliveryPending, "wrong name or password"},
		"unknown authority":  {func(_ *postOffice, s *deliver.MailServer) { s.Roots = nil }, shoal.DeliveryPending, "authority"},
		"no encryption":      {func(p *postOffice, _ *deliver.MailServer) { p.server.TLSConfig = nil }, shoal.DeliveryPending, "STARTTLS"},
		"none configured":    {func(_ *postOffice, s *deliver.MailServer) { *s = deliver.MailServer{} }, shoal.DeliveryPending, "--smtp-host"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPostOffice(t, "starttls")
			settings := p.settings("starttls")
			c.spoil(p, &settings)
			f := newOffice(t, e, func(o *deliver.Options) { o.Mail = settings })
			f.set(map[shoal.Channel]map[string]any{shoal.ChannelEmail: {"email": "me@example.com"}})
			run := e.Run(t, f.squid, shoal.RunSettings{})
			f.end(run.ID, shoal.RunError)
			f.deliver(shoal.ChannelEmail, 1)
			d := f.log(run.ID)[0]
			if d.Status != c.status || !strings.Contains(d.Detail, c.detail) || strings.Contains(d.Detail, "s3cret") {
				t.Errorf("%s %d %q, want %s and %q", d.Status, d.StatusCode, d.Detail, c.status, c.detail)
			}
			r, err := e.Store.RunByID(t.Context(), run.ID)
			if err != nil || r.EmailDone || len(p.got()) != 0 {
				t.Errorf("email_done %v, %v", r.EmailDone, err)
			}
			if a := f.service.Test(t.Context(), shoal.ChannelEmail, []byte(`{"email":"me@example.com"}`)); a.OK || !strings.Contains(a.Detail, c.detail) {
				t.Errorf("the test says %+v, unlike the delivery", a)
			}
		})
	}
}

func TestSlack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, nil)
		e.Exec(t, `UPDATE squids SET name = 'a <b> & c' WHERE id = $1`, string(f.squid))
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelSlack: {"url": r.URL + "/services/T0/s3cret"}})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.end(run.ID, shoal.RunDone)
		r.will(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "invalid_token", http.StatusForbidden) })
		f.deliver(shoal.ChannelSlack, 2)
		d := f.log(run.ID)[0]
		if d.Status != shoal.DeliveryPending || !strings.Contains(d.Detail, "403 Forbidden: invalid_token") || strings.Contains(d.Target+d.Detail, "s3cret") {
			t.Errorf("refused: %+v", d)
		}
		r.will(nil)
		f.due()
		f.deliver(shoal.ChannelSlack, 1)
		posts := r.got()
		var message struct{ Text string }
		if len(posts) != 2 || json.Unmarshal([]byte(posts[1].body), &message) != nil {
			t.Fatalf("posts: %v", posts)
		}
		if !strings.HasPrefix(message.Text, "*a &lt;b&gt; &amp; c is done: 0 results*\n") {
			t.Errorf("message: %s", message.Text)
		}
	})
}
