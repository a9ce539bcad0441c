package deliver_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/deliver"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/store/storetest"
)

// settings are those of a client of the mail server.
func settings(p *delivertest.PostOffice, kind string) deliver.MailServer {
	return deliver.MailServer{Host: "127.0.0.1", Port: p.Port, TLS: kind, Username: delivertest.User, Password: delivertest.Password,
		From: "Shoal <shoal@mail.test>", Roots: p.Roots}
}

// open takes a mail apart: its header and, by content type, its parts.
func open(t *testing.T, l delivertest.Letter) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(l.Text))
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
				p := delivertest.NewPostOffice(t, kind)
				f := newOffice(t, e, func(o *deliver.Options) {
					o.Mail = settings(p, kind)
					o.Link = func(_ shoal.WorkspaceID, run shoal.RunID) string { return "https://shoal.test/d/" + string(run) }
				})
				e.Exec(t, `UPDATE squids SET name = $1 WHERE id = $2`, "Bücher <b>&\r\nBcc: x@y.z", string(f.squid))
				f.set(map[shoal.Channel]map[string]any{shoal.ChannelEmail: {"email": "me@example.com"}})
				run := e.Run(t, f.squid, shoal.RunSettings{})
				f.end(run.ID, shoal.RunPaused) // no mail
				f.exported(run.ID)
				f.deliver(shoal.ChannelEmail, 2)
				mails := p.Got()
				if len(mails) != 1 || mails[0].To != "me@example.com" {
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
	p, blobs := delivertest.NewPostOffice(t, "starttls"), newBlobs(t)
	f := newOffice(t, e, func(o *deliver.Options) { o.Mail, o.Blob = settings(p, "starttls"), blobs })
	f.set(map[shoal.Channel]map[string]any{shoal.ChannelEmail: {"email": "me@example.com", "attach": true}})
	for name, content := range map[string]string{"small": "name\nMüller\n", "large": "name\n" + strings.Repeat("0123456789abcdef\n", 700_000)} {
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.store(blobs, run.ID, content)
		f.exported(run.ID)
		f.deliver(shoal.ChannelEmail, 1)
		mails := p.Got()
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
		p := delivertest.NewPostOffice(t, "starttls")
		f := newOffice(t, e, func(o *deliver.Options) { o.Mail = settings(p, "starttls") })
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
			mails := p.Got()
			if len(mails) != c.mails || c.mails == 1 && mails[0].To != "owner@shoal.test" {
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
		spoil  func(p *delivertest.PostOffice, s *deliver.MailServer)
		status shoal.DeliveryStatus
		detail string
	}{
		"no such user": {func(p *delivertest.PostOffice, _ *deliver.MailServer) {
			p.Refuse = refusal(550, "No such user here")
		}, shoal.DeliveryFailed, "No such user here"},
		"greylisted": {func(p *delivertest.PostOffice, _ *deliver.MailServer) {
			p.Refuse = refusal(451, "Try again later")
		}, shoal.DeliveryPending, "Try again later"},
		"down in the middle": {func(p *delivertest.PostOffice, _ *deliver.MailServer) {
			p.TakeData = func(s *delivertest.Session, _ []byte) error { return s.HangUp() }
		}, shoal.DeliveryPending, "closed the connection"},
		"down at the start": {func(p *delivertest.PostOffice, _ *deliver.MailServer) { p.Listener.Close() }, shoal.DeliveryPending, "refuses the connection"},
		"wrong password":    {func(_ *delivertest.PostOffice, s *deliver.MailServer) { s.Password = "guess" }, shoal.DeliveryPending, "wrong name or password"},
		"unknown authority": {func(_ *delivertest.PostOffice, s *deliver.MailServer) { s.Roots = nil }, shoal.DeliveryPending, "authority"},
		"no encryption":     {func(p *delivertest.PostOffice, _ *deliver.MailServer) { p.Server.TLSConfig = nil }, shoal.DeliveryPending, "STARTTLS"},
		"none configured":   {func(_ *delivertest.PostOffice, s *deliver.MailServer) { *s = deliver.MailServer{} }, shoal.DeliveryPending, "--smtp-host"},
	} {
		t.Run(name, func(t *testing.T) {
			p := delivertest.NewPostOffice(t, "starttls")
			settings := settings(p, "starttls")
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
			if err != nil || r.EmailDone || len(p.Got()) != 0 {
				t.Errorf("email_done %v, %v", r.EmailDone, err)
			}
			if a := f.service.Test(t.Context(), shoal.ChannelEmail, []byte(`{"email":"me@example.com"}`)); a.OK || !strings.Contains(a.Detail, c.detail) {
				t.Errorf("the test says %+v, unlike the delivery", a)
			}
		})
	}
}

// refusal refuses every recipient.
func refusal(code int, said string) func(string) error {
	return func(string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 7, 1}, Message: said}
	}
}

// TestMailThatWasTaken: a mail server that goes away once it has the mail has
// it: the mail does not come again.
func TestMailThatWasTaken(t *testing.T) {
	e := storetest.SQLite(t)
	p := delivertest.NewPostOffice(t, "starttls")
	p.TakeData = func(s *delivertest.Session, _ []byte) error {
		// The answer goes out, and the connection ends before another one.
		s.Conn.Conn().SetReadDeadline(time.Now())
		return nil
	}
	f := newOffice(t, e, func(o *deliver.Options) { o.Mail = settings(p, "starttls") })
	f.set(map[shoal.Channel]map[string]any{shoal.ChannelEmail: {"email": "me@example.com"}})
	run := e.Run(t, f.squid, shoal.RunSettings{})
	f.end(run.ID, shoal.RunError)
	f.deliver(shoal.ChannelEmail, 1)
	if d := f.log(run.ID)[0]; d.Status != shoal.DeliveryDelivered || len(p.Got()) != 1 {
		t.Errorf("%s %q, want it delivered", d.Status, d.Detail)
	}
}

// TestMailServerWithALimit: a mail whose file is too large for the server goes
// without the file, and says so.
func TestMailServerWithALimit(t *testing.T) {
	e := storetest.SQLite(t)
	p, blobs := delivertest.NewPostOffice(t, "starttls"), newBlobs(t)
	p.Server.MaxMessageBytes = 1 << 20
	f := newOffice(t, e, func(o *deliver.Options) { o.Mail, o.Blob = settings(p, "starttls"), blobs })
	f.set(map[shoal.Channel]map[string]any{shoal.ChannelEmail: {"email": "me@example.com", "attach": true}})
	run := e.Run(t, f.squid, shoal.RunSettings{})
	f.store(blobs, run.ID, "name\n"+strings.Repeat("0123456789abcdef\n", 100_000))
	f.exported(run.ID)
	f.deliver(shoal.ChannelEmail, 1)
	mails := p.Got()
	if d := f.log(run.ID)[0]; d.Status != shoal.DeliveryDelivered || len(mails) != 1 {
		t.Fatalf("%s %d %q, %d mails", d.Status, d.StatusCode, d.Detail, len(mails))
	}
	if _, parts := open(t, mails[0]); parts["text/csv"] != "" || !strings.Contains(parts["text/plain"], "too large for a mail") {
		t.Errorf("parts: %v", parts)
	}
}

// TestAddressesOfTheWorld: names of hosts in any script are written to as mail
// servers know them.
func TestAddressesOfTheWorld(t *testing.T) {
	p := delivertest.NewPostOffice(t, "starttls")
	s := deliver.New(deliver.Options{Mail: settings(p, "starttls"), Dial: openDial(t)})
	for given, want := range map[string]string{
		"me@bücher.example": "me@xn--bcher-kva.example", "me+tag@例え.テスト": "me+tag@xn--r8jz45g.xn--zckzah", "Me@Example.com": "Me@example.com",
		`"odd one"@example.com`: `odd one@example.com`,
	} {
		config, err := json.Marshal(map[string]any{"email": given})
		if err != nil {
			t.Fatal(err)
		}
		a := s.Test(t.Context(), shoal.ChannelEmail, config)
		if mails := p.Got(); !a.OK || len(mails) != 1 || mails[0].To != want {
			t.Errorf("%s: %+v, %d mails, want one to %s", given, a, len(mails), want)
		}
	}
	for _, bad := range []string{"me@example.com\r\nRCPT TO:<you@example.com>", "me@example.com>\r\nDATA", "me", ""} {
		config, err := json.Marshal(map[string]any{"email": bad})
		if err != nil {
			t.Fatal(err)
		}
		if a := s.Test(t.Context(), shoal.ChannelEmail, config); a.OK || len(p.Got()) != 0 {
			t.Errorf("%q: %+v", bad, a)
		}
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
