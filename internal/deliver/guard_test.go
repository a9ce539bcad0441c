package deliver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/safedial"
)

// zone is a resolver whose names have the addresses given, the next of them at
// each question and the last one for ever.
type zone map[string][]string

func (z zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	answers, ok := z[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		z[host] = answers[1:]
	}
	return []netip.Addr{netip.MustParseAddr(answers[0])}, nil
}

// guarded returns the deliveries as they are without the switch, save for
// single addresses, and with names of the test's own.
func guarded(names zone, allow ...netip.AddrPort) *deliver.Service {
	dialer := safedial.New(safedial.Options{Allow: allow, Resolver: names, CacheTTL: -1, Timeout: 5 * time.Second, Hint: "start with --allow-private-deliveries"})
	return deliver.New(deliver.Options{Dial: dialer.DialContext, UserAgent: "Shoal/test"})
}

func testWebhook(t *testing.T, s *deliver.Service, url string) deliver.Answer {
	t.Helper()
	config, err := json.Marshal(map[string]any{"url": url, "is_active": true})
	if err != nil {
		t.Fatal(err)
	}
	return s.Test(t.Context(), shoal.ChannelWebhook, config)
}

// TestGuardOfWebhooks gives the webhook every way to an address inside.
func TestGuardOfWebhooks(t *testing.T) {
	var reached atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	port := inside.Listener.Addr().(*net.TCPAddr).Port
	service := guarded(zone{"inside.test": {"127.0.0.1"}, "mapped.test": {"::ffff:127.0.0.1"}, "metadata.test": {"169.254.169.254"}, "lan.test": {"192.168.1.10"}})
	for _, host := range []string{
		"127.0.0.1", "127.1", "0177.0.0.1", "0x7f000001", "2130706433", "localhost.inside.test", "inside.test", "mapped.test",
		"0.0.0.0", "0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "lan.test", "100.64.0.1",
		"169.254.169.254", "169.254.0.1", "100.100.100.200", "metadata.test", "224.0.0.1", "255.255.255.255",
		"[::]", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
		"[2002:7f00:1::]", "[2001:0:7f00:1::]", "[2a00::200:5efe:7f00:1]", "[fe80::1]", "[fd00:ec2::254]", "[fc00::1]", "[ff02::1]",
	} {
		a := testWebhook(t, service, fmt.Sprintf("http://%s:%d/hook", host, port))
		if host == "localhost.inside.test" {
			if a.OK || !strings.Contains(a.Detail, "has no address") {
				t.Errorf("%s: %+v, want a name without address", host, a)
			}
			continue
		}
		if a.OK || a.Status != 0 || !strings.Contains(a.Detail, "is not visited") || !strings.Contains(a.Detail, "--allow-private-deliveries") {
			t.Errorf("%s: %+v, want a refusal that names the switch", host, a)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("an address inside was reached %d times", n)
	}
}

// TestGuardAgainstRebinding has a name that is harmless at the first delivery
// and leads inside at the second.
func TestGuardAgainstRebinding(t *testing.T) {
	outside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer outside.Close()
	address := outside.Listener.Addr().(*net.TCPAddr).AddrPort()
	inside, reached := listenAt(t, fmt.Sprintf("127.0.0.2:%d", address.Port()))
	defer inside.Close()
	service := guarded(zone{"rebind.test": {"127.0.0.1", "127.0.0.2"}}, address)
	url := fmt.Sprintf("http://rebind.test:%d/", address.Port())
	if a := testWebhook(t, service, url); !a.OK {
		t.Fatalf("the first delivery: %+v", a)
	}
	if a := testWebhook(t, service, url); a.OK || !strings.Contains(a.Detail, "is not visited") {
		t.Errorf("the second delivery: %+v, want a refusal", a)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the address inside was reached %d times", n)
	}
}

// TestGuardAgainstRedirects has receivers that point inside: they are told of,
// and not followed.
func TestGuardAgainstRedirects(t *testing.T) {
	inside, reached := listenAt(t, "127.0.0.2:0")
	defer inside.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{"http://" + inside.Addr().String() + "/x?token=s3cret", "http://169.254.169.254/latest/meta-data", "//0.0.0.0:1/"} {
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, code) }))
			service := guarded(nil, receiver.Listener.Addr().(*net.TCPAddr).AddrPort())
			a := testWebhook(t, service, receiver.URL)
			receiver.Close()
			if a.OK || a.Status != code || !strings.Contains(a.Detail, "Redirects are not followed") || strings.Contains(a.Detail, "s3cret") {
				t.Errorf("%d to %s: %+v", code, to, a)
			}
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the address inside was reached %d times", n)
	}
}

// listenAt counts connections to an address of this machine.
func listenAt(t *testing.T, address string) (net.Listener, *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			c.Close()
		}
	}()
	return l, &n
}

// openDial dials anywhere, as with the switch.
func openDial(t *testing.T) deliver.Dial {
	t.Helper()
	return safedial.New(safedial.Options{AllowPrivate: true}).DialContext
}
