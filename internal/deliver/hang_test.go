package deliver_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal"
	"shoal/internal/deliver"
)

// TestReceiversThatHang: nobody waits for a receiver for longer than 30 s, and
// an accepting one that never ends its text has accepted.
func TestReceiversThatHang(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		ok     bool
		within time.Duration
		detail string
	}{
		"silent":             {"", false, 30 * time.Second, "did not answer within 30s"},
		"half a header":      {"HTTP/1.1 200 OK\r\nX-Slow", false, 30 * time.Second, "did not answer within 30s"},
		"accepts and drips":  {"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nthanks", true, 2 * time.Second, "thanks"},
		"refuses and drips":  {"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nsorry", false, 2 * time.Second, "500 Internal Server Error: sorry"},
		"an endless header":  {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20), false, 30 * time.Second, "exceeded"},
		"answers, then rest": {"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", true, time.Second, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				defer theirs.Close()
				go func() {
					if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
						io.WriteString(theirs, c.answer)
						io.Copy(io.Discard, theirs)
					}
				}()
				s := deliver.New(deliver.Options{Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
				began := time.Now()
				a := s.Test(t.Context(), shoal.ChannelWebhook, []byte(`{"url":"http://receiver.test/"}`))
				if took := time.Since(began); a.OK != c.ok || !strings.Contains(a.Detail, c.detail) || took > c.within {
					t.Errorf("%+v after %s, want ok %v, %q within %s", a, took, c.ok, c.detail, c.within)
				}
			})
		})
	}
}
