package safedial

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// literal reads a host that is an address. It gives nil for a name. IPv4
// addresses are read as browsers do (https://url.spec.whatwg.org/#concept-ipv4-parser):
// 0x7f.1, 0177.0.0.1 and 2130706433 are all 127.0.0.1, and a host that ends in
// a number is never a name. Left to the system's resolver it would depend on the
// system.
func literal(host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := parts[len(parts)-1]
	if _, ok := number(last); !ok && !digits(last) {
		return nil, nil
	}
	a, ok := ipv4(parts)
	if !ok {
		return nil, &net.DNSError{Err: "the host ends in a number and is not an IPv4 address", Name: host, IsNotFound: true}
	}
	return []netip.Addr{a}, nil
}

// ipv4 joins one to four numbers; the last fills the bytes that remain.
func ipv4(parts []string) (netip.Addr, bool) {
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum uint64
	for i, p := range parts {
		n, ok := number(p)
		if !ok {
			return netip.Addr{}, false
		}
		room, shift := uint64(256), 8*(3-i)
		if i == len(parts)-1 {
			room, shift = uint64(1)<<(8*(5-len(parts))), 0
		}
		if n >= room {
			return netip.Addr{}, false
		}
		sum += n << shift
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(sum))
	return netip.AddrFrom4(b), true
}

// number reads 10, 010 (octal) and 0x10.
func number(s string) (uint64, bool) {
	base := 10
	switch {
	case len(s) >= 2 && (s[:2] == "0x" || s[:2] == "0X"):
		s, base = s[2:], 16
		if s == "" {
			return 0, true
		}
	case len(s) >= 2 && s[0] == '0':
		s, base = s[1:], 8
	}
	if strings.ContainsAny(s, "+-_") {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}

func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
