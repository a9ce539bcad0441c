package safedial

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// The socket's own check holds even if everything before it let an address pass.
func TestSocketRefusesByItself(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	conn, err := New(Options{}).dialer.DialContext(t.Context(), "tcp", address)
	if _, ok := errors.AsType[*RefusedError](err); !ok {
		t.Errorf("the socket connected to %s: %v, %v", address, conn, err)
	}
	admitted := New(Options{Allow: []netip.AddrPort{netip.MustParseAddrPort(address)}})
	if conn, err = admitted.dialer.DialContext(t.Context(), "tcp", address); err != nil {
		t.Fatalf("the excepted address was refused: %v", err)
	}
	conn.Close()
}
