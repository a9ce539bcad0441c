package extract

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"shoal/internal/dom/address"
	"shoal/internal/dom/atom"
	"shoal/internal/value"
)

// contact is a way to reach whoever a page is of.
type contact struct {
	Kind   string `json:"kind"`           // email, phone, or the network's name
	Value  string `json:"value"`          // the e-mail address, the number (E.164), the profile's address
	Text   string `json:"text,omitempty"` // the line of the page, or the link's text
	Source string `json:"source"`         // link, text or data
}

// contactReader gathers the contacts of one page, each once.
type contactReader struct {
	*thingPage
	region string // ISO 3166, of numbers without a country; "": unknown
	seen   map[string]bool
	out    [][]byte
}

// readContacts reads the e-mail addresses, telephone numbers and profiles on
// social networks that a page shows: in links, in its text (also in the ways
// that hide them from robots) and in its structured data. The option region
// is the country of numbers that name none; without it, the country of the
// site's top-level domain. The option kinds, email, phone or social, leaves the
// others out.
func readContacts(p *thingPage) [][]byte {
	r := &contactReader{thingPage: p, seen: map[string]bool{}, region: strings.ToUpper(strings.TrimSpace(p.options["region"]))}
	if r.region == "" {
		r.region = regionOf(p.url)
	}
	p.all(func(n node) bool {
		if v, ok := attr(n, "data-cfemail"); ok {
			r.hidden(v, "")
		}
		if href, ok := attr(n, "href"); ok && (n.Atom() == atom.A || n.Atom() == atom.Area || n.Atom() == atom.Link && oneOf(n, "rel", "me")) {
			r.link(n, address.Trim(href))
		}
		return len(r.out) < maxThings
	})
	for _, o := range r.structured() {
		r.data(map[string]any(o), 0)
	}
	r.lines()
	return r.out
}

// regionOf is the country of an address's top-level domain; "": of none.
func regionOf(address string) string {
	host := hostOf(address)
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	tld := strings.ToUpper(host[strings.LastIndexByte(host, '.')+1:])
	switch tld {
	case "UK":
		return "GB"
	case "IO", "AI", "TV", "ME", "CO", "FM", "LY", "AC", "SH", "CC", "WS", "TO", "GG", "GL", "SO", "IS", "EU", "SU":
		return "" // used all over the world
	}
	if len(tld) != 2 || strings.Contains(tld, ".") || tld[0] < 'A' || tld[0] > 'Z' {
		return ""
	}
	return tld
}

func (r *contactReader) add(kind, val, text, source string) {
	if want := r.options["kinds"]; want == "email" && kind != want || want == "phone" && kind != want || want == "social" && (kind == "email" || kind == "phone") {
		return
	}
	if val == "" || r.seen[kind+" "+val] || len(r.out) >= maxThings {
		return
	}
	r.seen[kind+" "+val] = true
	r.out = appendThing(r.out, contact{Kind: kind, Value: val, Text: clip(text), Source: source})
}

func (r *contactReader) email(address, text, source string) {
	if v, ok := value.Email(address); ok && !isFileName(v) {
		r.add("email", strings.ToLower(v), text, source)
	}
}

// hidden reads an address behind Cloudflare's e-mail protection.
func (r *contactReader) hidden(code, text string) {
	if v, ok := value.DecodeCFEmail(code); ok {
		r.email(v, text, "link")
	}
}

// isFileName knows the names of pictures for dense screens: logo@2x.png.
func isFileName(address string) bool {
	ext := strings.ToLower(address[strings.LastIndexByte(address, '.')+1:])
	return slices.Contains([]string{"png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "css", "js", "ico"}, ext)
}

func (r *contactReader) phone(number, text, source string) {
	if v, ok := value.Phone(number, r.region); ok {
		r.add("phone", v, text, source)
	}
}

// link reads the contact that a link is.
func (r *contactReader) link(n node, href string) {
	scheme, rest, _ := strings.Cut(href, ":")
	switch strings.ToLower(scheme) {
	case "mailto":
		r.mailto(rest, line(n))
		return
	case "tel", "callto", "sms", "fax":
		rest, _, _ = strings.Cut(rest, "?")
		if plain, err := url.PathUnescape(rest); err == nil {
			rest = plain
		}
		rest, _, _ = strings.Cut(rest, ";")
		r.phone(strings.TrimLeft(rest, "/"), line(n), "link")
		return
	}
	abs := r.thingPage.link(href)
	if _, code, ok := strings.Cut(href, "/cdn-cgi/l/email-protection#"); ok {
		r.hidden(code, line(n))
	} else if abs != "" {
		if kind, profile := socialProfile(abs, oneOf(n, "rel", "me")); kind != "" {
			r.add(kind, profile, line(n), "link")
		}
	}
}

// mailto reads the recipients of a mailto address (RFC 6068).
func (r *contactReader) mailto(rest, text string) {
	to, query, _ := strings.Cut(rest, "?")
	to = strings.TrimPrefix(to, "//")
	lists := []string{to}
	for pair := range strings.SplitSeq(strings.ReplaceAll(query, "&amp;", "&"), "&") {
		name, val, _ := strings.Cut(pair, "=")
		switch strings.ToLower(name) {
		case "to", "cc", "bcc":
			lists = append(lists, val)
		}
	}
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			if plain, err := url.PathUnescape(one); err == nil {
				one = plain
			}
			if _, inner, ok := strings.Cut(one, "<"); ok {
				one = strings.TrimSuffix(strings.TrimSpace(inner), ">")
			}
			r.email(strings.TrimSpace(one), text, "link")
		}
	}
}

// data reads the contacts of structured data, at any depth.
func (r *contactReader) data(v any, depth int) {
	if depth > 12 {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			r.data(item, depth+1)
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			texts := textsOf(v[name])
			switch strings.ToLower(name) {
			case "email":
				for _, t := range texts {
					r.email(strings.TrimPrefix(strings.TrimPrefix(t, "mailto:"), "MAILTO:"), "", "data")
				}
			case "telephone", "faxnumber":
				for _, t := range texts {
					r.phone(strings.TrimPrefix(t, "tel:"), "", "data")
				}
			case "sameas":
				for _, t := range addressesOf(v[name]) {
					if kind, profile := socialProfile(t, false); kind != "" {
						r.add(kind, profile, "", "data")
					}
				}
			}
			r.data(v[name], depth+1)
		}
	}
}

// iban is a bank account's number (ISO 13616), the groups of which look like
// telephone numbers.
var iban = regexp.MustCompile(`\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b`)

// lines reads the page's text line by line, so that what stands in two blocks
// does not become one number.
func (r *contactReader) lines() {
	text := string(appendText(nil, r.root, true))
	for l := range strings.SplitSeq(text, "\n") {
		if len(l) > 20_000 {
			l = l[:20_000]
		}
		l = strings.NewReplacer("\u200b", "", "\u00ad", "", "\u2060", "").Replace(l)
		for _, e := range value.Emails(l) {
			r.email(e, l, "text")
		}
		if strings.ContainsAny(l, "0123456789") {
			l := iban.ReplaceAllString(l, " ")
			for _, v := range value.Phones(l, r.region) {
				r.add("phone", v, l, "text")
			}
		}
	}
}

// network is a social network: the hosts of its profiles, the address that
// they are known by, and how their paths look.
type network struct {
	kind  string
	hosts []string
	home  string
	// profile returns the path of the profile that a path belongs to, "" for none.
	profile func(parts []string) string
}

// notNames are first parts of paths that are no profile of a person or firm.
var notNames = words(`share sharer sharer.php intent home login signin signup register search explore hashtag tag tags p reel reels tr plugins dialog
	about help legal privacy terms policies policy settings download downloads business ads developers docs jobs features pricing topics trending
	watch playlist results embed feed events groups marketplace photo photo.php story.php permalink.php l.php pin i status sharing oauth site
	pages share.php submit widgets tweet sponsors orgs apps collections security enterprise contact team blog news discover cookies`)

// name takes a path of one part, or more, for the profile named by its first.
func name(parts []string) string {
	if len(parts) == 0 || notNames[strings.ToLower(parts[0])] {
		return ""
	}
	return parts[0]
}

// at takes paths that begin with @.
func at(parts []string) string {
	if len(parts) > 0 && strings.HasPrefix(parts[0], "@") && len(parts[0]) > 1 {
		return parts[0]
	}
	return ""
}

// under takes two parts of a path when the first is one of the words.
func under(list string) func([]string) string {
	first := words(list)
	return func(parts []string) string {
		if len(parts) > 1 && first[strings.ToLower(parts[0])] {
			return strings.ToLower(parts[0]) + "/" + parts[1]
		}
		return ""
	}
}

func firstOf(ways ...func([]string) string) func([]string) string {
	return func(parts []string) string {
		for _, way := range ways {
			if p := way(parts); p != "" {
				return p
			}
		}
		return ""
	}
}

var networks = []network{
	{"facebook", []string{"facebook.com", "fb.com", "fb.me"}, "https://www.facebook.com/", firstOf(under("people groups pages"), name)},
	{"x", []string{"twitter.com", "x.com"}, "https://x.com/", name},
	{"linkedin", []string{"linkedin.com"}, "https://www.linkedin.com/", under("company in school showcase")},
	{"instagram", []string{"instagram.com"}, "https://www.instagram.com/", name},
	{"youtube", []string{"youtube.com"}, "https://www.youtube.com/", firstOf(at, under("channel user c"))},
	{"tiktok", []string{"tiktok.com"}, "https://www.tiktok.com/", at},
	{"pinterest", []string{"pinterest.com", "pinterest.de", "pinterest.co.uk", "pinterest.fr", "pinterest.es", "pinterest.it"}, "https://www.pinterest.com/", name},
	{"github", []string{"github.com"}, "https://github.com/", name},
	{"gitlab", []string{"gitlab.com"}, "https://gitlab.com/", name},
	{"telegram", []string{"t.me", "telegram.me"}, "https://t.me/", name},
	{"whatsapp", []string{"wa.me", "api.whatsapp.com", "chat.whatsapp.com"}, "https://wa.me/", name},
	{"threads", []string{"threads.net", "threads.com"}, "https://www.threads.net/", at},
	{"bluesky", []string{"bsky.app"}, "https://bsky.app/", under("profile")},
	{"reddit", []string{"reddit.com"}, "https://www.reddit.com/", under("r user u")},
	{"discord", []string{"discord.gg", "discord.com"}, "https://discord.gg/", func(parts []string) string {
		if p := under("invite")(parts); p != "" {
			return strings.TrimPrefix(p, "invite/")
		}
		if len(parts) == 1 {
			return name(parts)
		}
		return ""
	}},
	{"vimeo", []string{"vimeo.com"}, "https://vimeo.com/", name},
	{"snapchat", []string{"snapchat.com"}, "https://www.snapchat.com/", under("add")},
	{"xing", []string{"xing.com"}, "https://www.xing.com/", under("companies profile pages")},
	{"vk", []string{"vk.com"}, "https://vk.com/", name},
	{"medium", []string{"medium.com"}, "https://medium.com/", at},
	{"twitch", []string{"twitch.tv"}, "https://www.twitch.tv/", name},
	{"line", []string{"line.me"}, "https://line.me/", under("r ti")},
	{"weibo", []string{"weibo.com"}, "https://weibo.com/", firstOf(under("u"), name)},
	{"soundcloud", []string{"soundcloud.com"}, "https://soundcloud.com/", name},
	{"spotify", []string{"open.spotify.com"}, "https://open.spotify.com/", under("artist show user")},
	{"yelp", []string{"yelp.com"}, "https://www.yelp.com/", under("biz")},
	{"tripadvisor", []string{"tripadvisor.com"}, "https://www.tripadvisor.com/", func(parts []string) string {
		if len(parts) == 1 && strings.Contains(parts[0], "_Review-") {
			return parts[0]
		}
		return ""
	}},
}

// byHost finds a network by host, without "www." or "m.".
var byHost = func() map[string]*network {
	m := map[string]*network{}
	for i := range networks {
		for _, h := range networks[i].hosts {
			m[h] = &networks[i]
		}
	}
	return m
}()

// socialProfile tells which network's profile an address is, in the one form by
// which two links to it are known to be the same; "": none. me says that the
// link calls itself a profile of the site's owner, as Mastodon's do.
func socialProfile(address string, me bool) (kind, profile string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	host := strings.ToLower(u.Hostname())
	for _, prefix := range []string{"www.", "m.", "mobile."} {
		host = strings.TrimPrefix(host, prefix)
	}
	var parts []string
	for part := range strings.SplitSeq(u.Path, "/") {
		if part != "" {
			parts = append(parts, part)
		}
	}
	n := byHost[host]
	if n == nil && strings.Count(host, ".") > 1 { // de.linkedin.com
		n = byHost[host[strings.IndexByte(host, '.')+1:]]
	}
	if n == nil {
		if len(parts) == 1 && len(parts[0]) > 1 && parts[0][0] == '@' && (me || strings.Contains(host, "mastodon") || strings.Contains(host, "mstdn")) {
			return "mastodon", "https://" + host + "/" + parts[0]
		}
		return "", ""
	}
	if n.kind == "whatsapp" && u.Query().Get("phone") != "" {
		parts = []string{strings.Trim(u.Query().Get("phone"), "+ ")}
	}
	if n.kind == "facebook" && len(parts) == 1 && parts[0] == "profile.php" && u.Query().Get("id") != "" {
		return n.kind, n.home + "profile.php?id=" + url.QueryEscape(u.Query().Get("id"))
	}
	if p := n.profile(parts); p != "" {
		return n.kind, n.home + p
	}
	return "", ""
}
