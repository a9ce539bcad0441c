package deliver_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/store/storetest"
)

// trusted is the certificate of 127.0.0.1 that this process trusts, as a
// machine trusts those in its store.
var trusted tls.Certificate

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "deliver-test-")
	if err != nil {
		panic(err)
	}
	cert, pem, err := delivertest.Issue(time.Now().Add(time.Hour), "127.0.0.1")
	if err == nil {
		trusted = cert
		err = os.WriteFile(filepath.Join(dir, "ca.pem"), pem, 0o600)
	}
	if err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", filepath.Join(dir, "ca.pem"))
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// hijack answers with bytes of its own.
func hijack(w http.ResponseWriter, answer func(c io.Writer)) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	answer(c)
}

// TestReceiversOfAllKinds: what a receiver does besides its status does not
// decide, costs nothing, and keeps nobody.
func TestReceiversOfAllKinds(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		ok     bool
		detail string
	}{
		"10 GB of thanks": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000000000")
			block := bytes.Repeat([]byte("thank you "), 10_000)
			for {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, true, "thank you"},
		"endless chunks": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat("a", 4096)); err != nil {
					return
				}
			}
		}, true, "aaaa"},
		"a broken chunk": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, func(c io.Writer) {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n")
			})
		}, true, "hello"},
		"fewer bytes than said": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, func(c io.Writer) { io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhello") })
		}, true, "hello"},
		"a compressed bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bytes.Repeat([]byte{0}, 1000))
		}, true, "Accepted"},
		"continue, then yes": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
		}, true, "Accepted"},
		"not understood": {status(http.StatusUnsupportedMediaType), false, "415 Unsupported Media Type"},
		"not there": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html><body><h1>404</h1>no such page</body></html>", http.StatusNotFound)
		}, false, "404 Not Found"},
		"a status of its own": {status(599), false, "answered 599"},
		"closes after accepting": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusOK)
		}, true, "Accepted"},
		"a cookie and a realm": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "a=b")
			w.Header().Set("WWW-Authenticate", "Basic realm=x")
			w.WriteHeader(http.StatusUnauthorized)
		}, false, "401 Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, c.answer)
			s := deliver.New(deliver.Options{Dial: openDial(t), UserAgent: "Shoal/test"})
			began := time.Now()
			a := testWebhook(t, s, r.URL)
			if a.OK != c.ok || !strings.Contains(a.Detail, c.detail) || len(a.Detail) > 1000 {
				t.Errorf("%+v, want ok %v and %q", a, c.ok, c.detail)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestWebhookRecovers: 500, then 200: one event, two attempts, one id.
func TestWebhookRecovers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, status(500))
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.deliver(shoal.ChannelWebhook, 1)
		r.will(status(200))
		f.due()
		f.deliver(shoal.ChannelWebhook, 1)
		posts := r.got()
		if d := f.log(run.ID)[0]; d.Status != shoal.DeliveryDelivered || d.Attempts != 2 || len(posts) != 2 ||
			posts[0].header.Get("X-Shoal-Delivery") != posts[1].header.Get("X-Shoal-Delivery") || posts[0].body != posts[1].body {
			t.Errorf("%+v, posts %v", d, posts)
		}
	})
}

// TestWebhookWithoutRetry: one attempt, and the end.
func TestWebhookWithoutRetry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, status(500))
		config := hook(r.URL)
		config["retry"] = false
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: config})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.end(run.ID, shoal.RunAborted)
		f.deliver(shoal.ChannelWebhook, 3)
		log := f.log(run.ID)
		if posts := r.got(); len(posts) != 2 || posts[1].event() != "run.aborted" || log[0].Status != shoal.DeliveryFailed || log[1].Status != shoal.DeliveryFailed {
			t.Errorf("%d posts, log %+v", len(posts), log)
		}
	})
}

// TestSecureReceivers: HTTP/2 and HTTP/1.1 over TLS, and certificates that do
// not hold.
func TestSecureReceivers(t *testing.T) {
	stranger, _, err := delivertest.Issue(time.Now().Add(time.Hour), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cert   tls.Certificate
		http2  bool
		detail string
	}{
		"HTTP/2":            {trusted, true, "HTTP/2.0"},
		"HTTP/1.1":          {trusted, false, "HTTP/1.1"},
		"unknown authority": {stranger, true, "is signed by an authority that this machine does not know"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var body struct{ Event string }
				if json.NewDecoder(r.Body).Decode(&body) != nil || body.Event != "test" {
					w.WriteHeader(http.StatusBadRequest)
				}
				fmt.Fprint(w, r.Proto)
			}))
			r.EnableHTTP2, r.TLS = c.http2, &tls.Config{Certificates: []tls.Certificate{c.cert}}
			r.Config.ErrorLog = log.New(io.Discard, "", 0)
			r.StartTLS()
			defer r.Close()
			s := deliver.New(deliver.Options{Dial: openDial(t), UserAgent: "Shoal/test"})
			a := testWebhook(t, s, r.URL)
			if a.OK != strings.HasPrefix(c.detail, "HTTP/") || !strings.Contains(a.Detail, c.detail) {
				t.Errorf("%+v, want %q", a, c.detail)
			}
			a = testWebhook(t, s, strings.Replace(r.URL, "127.0.0.1", "localhost", 1))
			if a.OK || c.cert.Leaf != stranger.Leaf && !strings.Contains(a.Detail, "is for another name") {
				t.Errorf("by another name: %+v", a)
			}
		})
	}
}
