package safedial

import "net/netip"

// special is one range that is not part of the public Internet.
type special struct {
	prefix netip.Prefix
	why    string
}

// special4 is the IANA IPv4 Special-Purpose Address Registry
// (https://www.iana.org/assignments/iana-ipv4-special-registry), multicast
// (RFC 5771) and the one metadata address that lies in a public range.
// Narrow ranges stand before the wide ones that hold them.
var special4 = table([][2]string{
	{"0.0.0.0/8", "an address of this host (RFC 791)"},
	{"127.0.0.0/8", "a loopback address"},
	{"10.0.0.0/8", "a private address (RFC 1918)"},
	{"172.16.0.0/12", "a private address (RFC 1918)"},
	{"192.168.0.0/16", "a private address (RFC 1918)"},
	{"169.254.169.254/32", "the cloud's metadata address"},
	{"169.254.0.0/16", "a link-local address (RFC 3927)"},
	{"100.100.100.200/32", "the cloud's metadata address"},
	{"100.64.0.0/10", "an address behind carrier-grade NAT (RFC 6598)"},
	{"168.63.129.16/32", "the cloud's metadata address"},
	{"192.0.0.192/32", "the cloud's metadata address"},
	{"192.0.0.0/24", "reserved for protocols (RFC 6890)"},
	{"192.0.2.0/24", "a documentation address (RFC 5737)"},
	{"198.51.100.0/24", "a documentation address (RFC 5737)"},
	{"203.0.113.0/24", "a documentation address (RFC 5737)"},
	{"192.31.196.0/24", "reserved for AS112 (RFC 7535)"},
	{"192.52.193.0/24", "reserved for multicast tunnelling (RFC 7450)"},
	{"192.88.99.0/24", "a 6to4 relay (RFC 7526)"},
	{"192.175.48.0/24", "reserved for AS112 (RFC 7534)"},
	{"198.18.0.0/15", "reserved for benchmarks (RFC 2544)"},
	{"224.0.0.0/4", "a multicast address (RFC 5771)"},
	{"255.255.255.255/32", "the broadcast address"},
	{"240.0.0.0/4", "a reserved address (RFC 1112)"},
})

// special6 is the IANA IPv6 Special-Purpose Address Registry
// (https://www.iana.org/assignments/iana-ipv6-special-registry) with every form
// that carries an IPv4 address, behind which a gateway may reach inside.
var special6 = table([][2]string{
	{"::/128", "the unspecified address"},
	{"::1/128", "a loopback address"},
	{"::ffff:0:0/96", "an IPv4-mapped address (RFC 4291)"},
	{"::ffff:0:0:0/96", "an IPv4-translated address (RFC 2765)"},
	{"::/96", "an IPv4-compatible address (RFC 4291)"},
	{"64:ff9b::/96", "an address translated to IPv4 (NAT64, RFC 6052)"},
	{"64:ff9b:1::/48", "an address translated to IPv4 (NAT64, RFC 8215)"},
	{"100::/64", "a discard address (RFC 6666)"},
	{"100:0:0:1::/64", "a dummy address (RFC 9780)"},
	{"2001::/32", "a Teredo address (RFC 4380)"},
	{"2001:2::/48", "reserved for benchmarks (RFC 5180)"},
	{"2001:db8::/32", "a documentation address (RFC 3849)"},
	{"2001::/23", "reserved for protocols (RFC 2928)"},
	{"2002::/16", "a 6to4 address (RFC 3056)"},
	{"2620:4f:8000::/48", "reserved for AS112 (RFC 7534)"},
	{"3fff::/20", "a documentation address (RFC 9637)"},
	{"5f00::/16", "a segment routing address (RFC 9602)"},
	{"fd00:ec2::254/128", "the cloud's metadata address"},
	{"fd20:ce::254/128", "the cloud's metadata address"},
	{"fc00::/7", "a private address (RFC 4193)"},
	{"fe80::/10", "a link-local address (RFC 4291)"},
	{"fec0::/10", "a private address (RFC 3879)"},
	{"ff00::/8", "a multicast address (RFC 4291)"},
})

// global6 holds all public IPv6 addresses that IANA has ever given out.
var global6 = netip.MustParsePrefix("2000::/3")

func table(rows [][2]string) []special {
	t := make([]special, len(rows))
	for i, r := range rows {
		t[i] = special{netip.MustParsePrefix(r[0]), r[1]}
	}
	return t
}

// Special says what kind of address keeps addr off the public Internet ("a
// loopback address"), or "" when it is public.
func Special(addr netip.Addr) string {
	addr = addr.WithZone("")
	switch {
	case !addr.IsValid():
		return "not an address"
	case addr.Is4():
		return find(special4, addr)
	}
	if why := find(special6, addr); why != "" {
		return why
	}
	if !global6.Contains(addr) {
		return "outside the public range of IPv6 (2000::/3)"
	}
	if isatap(addr) {
		return "an ISATAP address (RFC 5214)"
	}
	return ""
}

func find(t []special, addr netip.Addr) string {
	for i := range t {
		if t[i].prefix.Contains(addr) {
			return t[i].why
		}
	}
	return ""
}

// isatap reports whether the interface id is 0000:5efe or 0200:5efe and an
// IPv4 address: ISATAP has no prefix of its own.
func isatap(addr netip.Addr) bool {
	b := addr.As16()
	return b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}
