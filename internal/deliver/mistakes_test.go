package deliver_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/deliver/delivertest"
)

// TestMistakes makes the mistakes that people make when they set a channel: the
// test of the channel says what the other side said and what to change, and
// nothing counts as taken that was not.
func TestMistakes(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<!doctype html><p>Welcome") }))
	defer page.Close()
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	secure.TLS, secure.Config.ErrorLog = &tls.Config{Certificates: []tls.Certificate{trusted}}, log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	refusing := func(code int, kind, body string) string {
		return newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			io.WriteString(w, body)
		}).URL
	}
	s3Error := func(code int, name, more string) string {
		return refusing(code, "application/xml", "<Error><Code>"+name+"</Code><Message>It says why.</Message>"+more+"</Error>")
	}
	s3, sftp, locked := delivertest.NewS3(t, nil), delivertest.NewSFTP(t), delivertest.NewSFTP(t)
	locked.Write = func(string) error { return os.ErrPermission }
	starttls, wrapped := delivertest.NewPostOffice(t, "starttls"), delivertest.NewPostOffice(t, "tls")
	port := func(s *httptest.Server) int { return s.Listener.Addr().(*net.TCPAddr).Port }
	mails := func(p *delivertest.PostOffice, kind string, change func(*deliver.MailServer)) deliver.MailServer {
		m := settings(p, kind)
		if change != nil {
			change(&m)
		}
		return m
	}
	with := func(fields map[string]any, name string, value any) map[string]any {
		out := maps.Clone(fields)
		out[name] = value
		return out
	}
	hostKey := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHxjtcRi4tCQ+xxTzJO6AfZc3W6mWkFAd5MS+0s3QFcJ"
	to := map[string]any{"email": "me@example.com"}
	none := deliver.MailServer{}
	for name, c := range map[string]struct {
		channel shoal.Channel
		mail    deliver.MailServer
		config  map[string]any
		want    string
	}{
		"webhook: unknown name":          {"webhook", none, map[string]any{"url": "http://hook.invalid/"}, "hook.invalid"},
		"webhook: closed port":           {"webhook", none, map[string]any{"url": "http://127.0.0.1:1/"}, "nothing listens at that port"},
		"webhook: https to a plain port": {"webhook", none, map[string]any{"url": "https" + strings.TrimPrefix(page.URL, "http")}, "does not speak TLS at that port: take another port, or an address that begins with http://"},
		"webhook: http to a TLS port":    {"webhook", none, map[string]any{"url": "http" + strings.TrimPrefix(secure.URL, "https")}, "sent an HTTP request to an HTTPS server"},
		"webhook: 401":                   {"webhook", none, map[string]any{"url": refusing(401, "text/plain", "nobody")}, "401 Unauthorized: nobody. It wants a log-in: the address may hold one"},
		"webhook: 404":                   {"webhook", none, map[string]any{"url": empty.URL}, "404 page not found. Is the path of the address right?"},
		"webhook: 405":                   {"webhook", none, map[string]any{"url": refusing(405, "text/plain", "")}, "It takes no POST there"},
		"slack: a web page":              {"slack", none, map[string]any{"url": page.URL}, "this is not the address of an incoming webhook"},
		"slack: no_service":              {"slack", none, map[string]any{"url": refusing(404, "text/plain", "no_service")}, "The webhook was removed or switched off: make a new one"},
		"slack: invalid_payload":         {"slack", none, map[string]any{"url": refusing(400, "text/plain", "invalid_payload")}, "400 Bad Request: invalid_payload"},
		"slack: invalid_token":           {"slack", none, map[string]any{"url": refusing(403, "text/plain", "invalid_token")}, "copy it again from Slack"},
		"s3: no such bucket":             {"s3", none, with(s3.Fields(), "bucket", "elsewhere"), "404 NoSuchBucket: The specified bucket does not exist. Make the bucket, or correct its name"},
		"s3: another region": {"s3", none, with(s3.Fields(), "endpoint", s3Error(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")),
			"It says why. The bucket's region is eu-west-1: set it"},
		"s3: wrong secret":          {"s3", none, with(s3.Fields(), "endpoint", s3Error(403, "SignatureDoesNotMatch", "")), "aws_secret_key is not the one that belongs to aws_access_key"},
		"s3: not allowed":           {"s3", none, with(s3.Fields(), "endpoint", s3Error(403, "AccessDenied", "")), "must be allowed s3:PutObject"},
		"s3: some web server":       {"s3", none, with(s3.Fields(), "endpoint", page.URL), "does not answer as a server of S3 does"},
		"s3: https to a plain port": {"s3", none, with(s3.Fields(), "endpoint", "https"+strings.TrimPrefix(page.URL, "http")), "does not speak TLS at that port"},
		"s3: no scheme":             {"s3", none, with(s3.Fields(), "endpoint", "s3.example.com"), "must be an http or https address such as https://s3.example.com"},
		"s3: closed port":           {"s3", none, with(s3.Fields(), "endpoint", "http://127.0.0.1:1"), "nothing listens at that port"},
		"sftp: wrong password":      {"sftp", none, with(sftp.Fields(), "password", "guess"), "does not accept the user name shoal with this password or key"},
		"sftp: a web server":        {"sftp", none, with(sftp.Fields(), "port", port(page)), "the port of its SSH server"},
		"sftp: closed port":         {"sftp", none, with(sftp.Fields(), "port", 1), "nothing listens at that port"},
		"sftp: unknown name":        {"sftp", none, with(sftp.Fields(), "host", "files.invalid"), "files.invalid"},
		"sftp: another host key":    {"sftp", none, with(sftp.Fields(), "host_key", hostKey), "If it was changed on purpose, set the delivery anew"},
		"sftp: no right":            {"sftp", none, locked.Fields(), "shoal may not create /in/shoal-test.txt.part: permission denied. Choose another directory"},
		"email: tls to starttls":    {"email", mails(starttls, "tls", nil), to, "try --smtp-tls starttls"},
		"email: wrong password":     {"email", mails(starttls, "starttls", func(m *deliver.MailServer) { m.Password = "guess" }), to, "wrong name or password. The log-in was refused: look at --smtp-user and --smtp-password"},
		"email: no log-in":          {"email", mails(starttls, "starttls", func(m *deliver.MailServer) { m.Username = "" }), to, "It takes no mail from Shoal <shoal@mail.test>: look at --smtp-from and the log-in"},
		"email: another name":       {"email", mails(wrapped, "tls", func(m *deliver.MailServer) { m.Host = "localhost" }), to, "The certificate of localhost is for another name"},
		"email: stranger's certificate": {"email", mails(wrapped, "tls", func(m *deliver.MailServer) { m.Roots = nil }), to,
			"signed by an authority that this machine does not know: name its certificate with --smtp-ca"},
		"email: in the clear":    {"email", mails(starttls, "none", nil), to, "offers no log-in at this port in this way: use TLS"},
		"email: closed port":     {"email", mails(starttls, "starttls", func(m *deliver.MailServer) { m.Port = 1 }), to, "nothing listens at that port"},
		"email: nobody's server": {"email", none, to, "start the server with --smtp-host and --smtp-from"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := json.Marshal(c.config)
			if err != nil {
				t.Fatal(err)
			}
			s := deliver.New(deliver.Options{Dial: openDial(t), Mail: c.mail, UserAgent: "Shoal/test"})
			a := s.Test(t.Context(), c.channel, config)
			if a.OK || !strings.Contains(a.Detail, c.want) {
				t.Errorf("ok %v: %s\nwant: %s", a.OK, a.Detail, c.want)
			}
			for _, secret := range []string{delivertest.Password, "topsecret", "guess"} {
				if strings.Contains(a.Detail+a.Target, secret) {
					t.Errorf("it tells a secret: %s", a.Detail)
				}
			}
		})
	}
}
