package safedial_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/safedial"
)

const hint = "start with --allow-private-targets to allow it"

// zone is a resolver that gives each name's answers in turn, the last for ever.
type zone struct {
	mu    sync.Mutex
	names map[string][][]netip.Addr
	asked map[string]int
	slow  time.Duration
}

func (z *zone) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if z.slow > 0 {
		select {
		case <-time.After(z.slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	answers := z.names[host]
	if z.asked == nil {
		z.asked = map[string]int{}
	}
	n := z.asked[host]
	z.asked[host]++
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return answers[min(n, len(answers)-1)], nil
}

func (z *zone) count(host string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[host]
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// listen opens a loopback listener that says on accepted that it was reached.
func listen(t *testing.T) (netip.AddrPort, <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	accepted := make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- struct{}{}
			c.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String()), accepted
}

func TestSpecialAddressesAreRefused(t *testing.T) {
	for addr, why := range map[string]string{
		"127.0.0.1": "loopback", "127.255.255.254": "loopback", "::1": "loopback",
		"10.1.2.3": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private", "fc00::1": "private", "fd12:3456::1": "private",
		"169.254.1.1": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local",
		"169.254.169.254": "metadata", "fd00:ec2::254": "metadata", "100.100.100.200": "metadata", "168.63.129.16": "metadata", "192.0.0.192": "metadata",
		"0.0.0.0": "this host", "0.1.2.3": "this host", "::": "unspecified",
		"100.64.0.1": "carrier-grade", "100.127.255.255": "carrier-grade",
		"224.0.0.1": "multicast", "239.255.255.255": "multicast", "ff02::1": "multicast",
		"240.0.0.1": "reserved", "255.255.255.255": "broadcast", "198.18.0.1": "benchmarks", "192.0.0.8": "protocols",
		"192.0.2.1": "documentation", "198.51.100.7": "documentation", "203.0.113.9": "documentation", "2001:db8::1": "documentation", "3fff::1": "documentation",
		"::ffff:127.0.0.1": "mapped", "::ffff:8.8.8.8": "mapped", "::127.0.0.1": "compatible", "::ffff:0:7f00:1": "translated",
		"2002:7f00:1::": "6to4", "64:ff9b::7f00:1": "NAT64", "64:ff9b:1::a00:1": "NAT64", "2001:0:7f00:1::": "Teredo",
		"2606:4700::5efe:7f00:1": "ISATAP", "2606:4700::200:5efe:a00:1": "ISATAP",
		"4000::1": "outside", "fec0::1": "private", "100::1": "discard",
	} {
		got := safedial.Special(netip.MustParseAddr(addr))
		if !strings.Contains(got, why) {
			t.Errorf("Special(%s) = %q, want something with %q", addr, got, why)
		}
	}
}

func TestPublicAddressesAreAdmitted(t *testing.T) {
	for _, addr := range []string{"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.1.1", "223.255.255.255",
		"198.17.0.1", "198.20.0.1", "192.0.1.1", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e", "2600::5efe:0:1:1"} {
		if why := safedial.Special(netip.MustParseAddr(addr)); why != "" {
			t.Errorf("Special(%s) = %q, want it public", addr, why)
		}
	}
}

func TestEverySpellingOfAnInsideAddressIsRefused(t *testing.T) {
	at, accepted := listen(t)
	_, port, _ := net.SplitHostPort(at.String())
	d := safedial.New(safedial.Options{Hint: hint, Resolver: &zone{names: map[string][][]netip.Addr{
		"localhost":        {addrs("127.0.0.1", "::1")},
		"inside.example":   {addrs("10.0.0.1", "127.0.0.1")},
		"mapped.example":   {addrs("::ffff:127.0.0.1")},
		"metadata.example": {addrs("169.254.169.254")},
	}}})
	for _, host := range []string{"127.0.0.1", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "0.0.0.0", "127.0.0.1.",
		"localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[fe80::1%25lo]",
		"inside.example", "mapped.example", "metadata.example"} {
		conn, err := d.DialContext(t.Context(), "tcp", host+":"+port)
		if conn != nil {
			conn.Close()
		}
		refused, ok := errors.AsType[*safedial.RefusedError](err)
		if !ok {
			t.Errorf("dial %s: %v, want a refusal", host, err)
			continue
		}
		if msg := refused.Error(); !strings.Contains(msg, refused.Addr.String()) || !strings.Contains(msg, hint) {
			t.Errorf("dial %s: the message %q lacks the address or the switch", host, msg)
		}
	}
	select {
	case <-accepted:
		t.Error("a refused address was reached")
	default:
	}
}

func TestHostThatEndsInANumberIsNeverAName(t *testing.T) {
	z := &zone{}
	d := safedial.New(safedial.Options{Resolver: z})
	for _, host := range []string{"1.2.3.4.5", "256.256.256.256", "foo.08", "4294967296", "1.2.3.0x100"} {
		_, err := d.DialContext(t.Context(), "tcp", host+":80")
		if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsNotFound {
			t.Errorf("dial %s: %v, want that it does not exist", host, err)
		}
		if z.count(host) != 0 {
			t.Errorf("the resolver was asked for %s", host)
		}
	}
}

func TestRebindingIsRefused(t *testing.T) {
	at, accepted := listen(t)
	z := &zone{names: map[string][][]netip.Addr{"rebind.example": {addrs("2606:4700:4700::1111"), {at.Addr()}}}}
	d := safedial.New(safedial.Options{Resolver: z, CacheTTL: -1, Timeout: 300 * time.Millisecond})
	address := net.JoinHostPort("rebind.example", port(at))
	if conn, err := d.DialContext(t.Context(), "tcp", address); err == nil {
		conn.Close() // the public address may even answer
	} else if _, ok := errors.AsType[*safedial.RefusedError](err); ok {
		t.Fatalf("the public answer was refused: %v", err)
	}
	_, err := d.DialContext(t.Context(), "tcp", address)
	if _, ok := errors.AsType[*safedial.RefusedError](err); !ok {
		t.Fatalf("the second answer, a loopback address, gave %v, want a refusal", err)
	}
	select {
	case <-accepted:
		t.Error("the loopback address was reached")
	default:
	}
}

func TestNameWithBothKindsIsVisitedAtThePublicOnesOnly(t *testing.T) {
	at, accepted := listen(t)
	z := &zone{names: map[string][][]netip.Addr{"both.example": {append(addrs("2606:4700:4700::1111"), at.Addr())}}}
	d := safedial.New(safedial.Options{Resolver: z, Timeout: 400 * time.Millisecond})
	conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("both.example", port(at)))
	if conn != nil {
		conn.Close()
	}
	if _, ok := errors.AsType[*safedial.RefusedError](err); ok {
		t.Errorf("the public address was not tried: %v", err)
	}
	select {
	case <-accepted:
		t.Error("the private address was reached")
	default:
	}
}

func TestExceptionAdmitsItsAddressAlone(t *testing.T) {
	at, _ := listen(t)
	other, _ := listen(t)
	d := safedial.New(safedial.Options{Allow: []netip.AddrPort{at}})
	conn, err := d.DialContext(t.Context(), "tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if conn, err = d.DialContext(t.Context(), "tcp", other.String()); err == nil {
		conn.Close()
		t.Error("another port of the excepted address was reached")
	}
}

func TestSecondAddressServesWhenTheFirstFails(t *testing.T) {
	at, _ := listen(t)
	z := &zone{names: map[string][][]netip.Addr{"two.example": {addrs("127.0.0.9", "127.0.0.1", "::1")}}}
	d := safedial.New(safedial.Options{AllowPrivate: true, Resolver: z})
	for _, network := range []string{"tcp", "tcp4"} {
		conn, err := d.DialContext(t.Context(), network, net.JoinHostPort("two.example", port(at)))
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.RemoteAddr().String(); got != at.String() {
			t.Errorf("%s reached %s, want %s", network, got, at)
		}
		conn.Close()
	}
	if _, err := d.DialContext(t.Context(), "udp", at.String()); err == nil {
		t.Error("udp was dialled")
	}
}

func TestNamesAreAskedOnceAndRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{names: map[string][][]netip.Addr{"a.example": {addrs("10.0.0.1")}}, slow: time.Second}
		d := safedial.New(safedial.Options{Resolver: z})
		// The caller that asked first gives up; the others still get the answer.
		hurried, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				ctx := t.Context()
				if i == 0 {
					ctx = hurried
				} else {
					time.Sleep(time.Microsecond)
				}
				_, err := d.DialContext(ctx, "tcp", "a.example:80")
				if i == 0 && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the hurried caller got %v", err)
				}
				if _, ok := errors.AsType[*safedial.RefusedError](err); i > 0 && !ok {
					t.Errorf("a waiting caller got %v, want the refusal of its address", err)
				}
			})
		}
		all.Wait()
		if n := z.count("a.example"); n != 1 {
			t.Errorf("the resolver was asked %d times, want once", n)
		}
		time.Sleep(61 * time.Second)
		d.DialContext(t.Context(), "tcp", "A.example.:80")
		if n := z.count("a.example"); n != 2 {
			t.Errorf("after the minute the resolver was asked %d times, want twice", n)
		}
		for range 3 {
			d.DialContext(t.Context(), "tcp", "missing.example:80")
		}
		if n := z.count("missing.example"); n != 1 {
			t.Errorf("a missing name was asked for %d times in a row, want once", n)
		}
	})
}

func port(a netip.AddrPort) string {
	_, p, _ := net.SplitHostPort(a.String())
	return p
}

// FuzzSpelling proves that the spelling of an IPv4 address never changes whether
// it is visited.
func FuzzSpelling(f *testing.F) {
	for _, n := range []uint32{0, 0x7f000001, 0x0a000001, 0xa9fea9fe, 0x08080808, 0xffffffff, 0x64400001} {
		f.Add(n)
	}
	d := safedial.New(safedial.Options{Resolver: &zone{}})
	f.Fuzz(func(t *testing.T, n uint32) {
		addr := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		gone, cancel := context.WithCancel(t.Context())
		cancel() // what is admitted fails with this and is never dialled
		for _, host := range []string{
			addr.String(), addr.String() + ".", fmt.Sprint(n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0%o", n),
			fmt.Sprintf("%d.%d", n>>24, n&0xffffff), fmt.Sprintf("0x%X.0%o.%d", n>>24, n>>16&0xff, n&0xffff),
		} {
			_, err := d.DialContext(gone, "tcp", host+":80")
			_, refused := errors.AsType[*safedial.RefusedError](err)
			if !refused && !errors.Is(err, context.Canceled) {
				t.Errorf("dial %s: %v", host, err)
			}
			if want := safedial.Special(addr) != ""; refused != want {
				t.Errorf("dial %s (%s): refused is %v, want %v", host, addr, refused, want)
			}
		}
	})
}
