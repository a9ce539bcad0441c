package value

import (
	"encoding/hex"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// maxEmails is how many addresses Emails returns at most.
const maxEmails = 1000

// Email reads the first email address of s, which may be a mailto: link and
// may be written for people only: "name [at] example [dot] com",
// "name(at)example.com", "name AT example DOT com", "name @ example.com". The
// domain comes in lower case; it must end in a top-level domain of the public
// suffix list or one that RFC 2606 keeps for examples.
func Email(s string) (string, bool) {
	if found := emails(s, 1); len(found) > 0 {
		return found[0], true
	}
	if at := strings.IndexByte(s, '@'); at >= 0 {
		// name @ example.com: only when there is nothing else.
		if parts := strings.Fields(strings.Replace(unescape(s), "@", " @ ", 1)); len(parts) == 3 {
			if found := emails(strings.Join(parts, ""), 1); len(found) > 0 {
				return found[0], true
			}
		}
	}
	if m := spoken().FindStringSubmatch(clipTo(strings.TrimSpace(s), 320)); m != nil {
		if found := emails(plain(m[1])+"@"+plain(m[2]), 1); len(found) > 0 {
			return found[0], true
		}
	}
	return "", false
}

// Emails reads the addresses of a running text, each once, in order. It leaves
// out what only looks like one: file names such as logo@2x.png, versions such as
// package@1.2.3, the addresses of repositories, handles, the user of a URL, and
// keys of error reporting. Of the forms for people it reads those with brackets
// and with upper-case AT and DOT.
func Emails(s string) []string { return emails(s, maxEmails) }

// DecodeCFEmail decodes the hexadecimal text of a data-cfemail attribute, with
// which Cloudflare hides addresses: the first byte is the key of the others.
func DecodeCFEmail(s string) (string, bool) {
	code, err := hex.DecodeString(strings.TrimSpace(s))
	if err != nil || len(code) < 6 || len(code) > 400 {
		return "", false
	}
	for i := range code[1:] {
		code[i+1] ^= code[0]
	}
	text, _, _ := strings.Cut(string(code[1:]), "?") // ?subject=…
	return Email(text)
}

func emails(s string, most int) (found []string) {
	s = unescape(s)
	if strings.Contains(s, "%40") && len(s) < 4096 && !strings.Contains(s, "@") {
		if text, err := url.PathUnescape(s); err == nil {
			s = text
		}
	}
	if mayHide(s) {
		s = reveal(s)
	}
	seen := map[string]bool{}
	for from := 0; len(found) < most; {
		at := strings.IndexByte(s[from:], '@')
		if at < 0 {
			break
		}
		at += from
		from = at + 1
		address, end, ok := addressAt(s, at)
		if !ok {
			continue
		}
		from = end
		if key := strings.ToLower(address); !seen[key] {
			seen[key] = true
			found = append(found, address)
		}
	}
	return found
}

// unescape resolves HTML's character references, also those of attributes that
// were escaped twice, and full-width signs.
func unescape(s string) string {
	for range 2 {
		if !strings.Contains(s, "&") {
			break
		}
		s = html.UnescapeString(s)
	}
	if strings.ContainsAny(s, "＠\u00ad\u200b") {
		s = strings.NewReplacer("＠", "@", "．", ".", "\u00ad", "", "\u200b", "").Replace(s)
	}
	return s
}

// addressAt reads the address around the @ at position at.
func addressAt(s string, at int) (address string, end int, ok bool) {
	start := at
	for start > 0 && at-start <= 70 {
		r, size := utf8.DecodeLastRuneInString(s[:start])
		if !localRune(r) {
			break
		}
		start -= size
	}
	if before(s, start) == '@' || withinURL(s, start) {
		return "", 0, false
	}
	local := s[start:at]
	if before(s, start) == '\\' && len(local) > 5 && local[:3] == "u00" {
		local = local[5:] // the > of "\u003ename@…"
	}
	local = strings.TrimLeft(local, ".'`&~%+-*#!=|/")
	if strings.HasPrefix(local, "20") && at-len(local) > 0 && s[at-len(local)-1] == '%' {
		local = local[2:]
	}
	local = strings.TrimRight(local, "'`")
	domain, end := domainAt(s, at+1)
	if !validLocal(local) || domain == "" {
		return "", 0, false
	}
	if after(s, end) == ':' && (local == "git" || local == "hg" || local == "svn") || reported(local, domain) {
		return "", 0, false
	}
	if first, _, _ := strings.Cut(domain, "."); retina(first) {
		return "", 0, false
	}
	return local + "@" + domain, end, true
}

// withinURL reports whether position i is within a URL that is no mailto: what
// looks like an address there is a user with a password, or an id of a message.
// Only a parameter that is said to be an address is taken for one.
func withinURL(s string, i int) bool {
	if before(s, i) == '/' {
		return !strings.HasSuffix(strings.ToLower(s[:i]), "mailto://")
	}
	from := max(0, i-500)
	if space := strings.LastIndexAny(s[from:i], " \t\r\n\"'<>()[]|,;"); space >= 0 {
		from += space + 1
	}
	word := s[from:i]
	scheme := strings.Index(word, "://")
	if scheme < 0 || strings.HasSuffix(strings.ToLower(word[:scheme]), "mailto") {
		return false
	}
	name := word[strings.LastIndexAny(word, "?&")+1:]
	return !slices.Contains([]string{"to=", "cc=", "email=", "e-mail=", "mail="}, strings.ToLower(name))
}

func localRune(r rune) bool {
	return r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._%+-'&~", r) && r != 0) ||
		r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)) && !ideograph(r)
}

func validLocal(local string) bool {
	return local != "" && len(local) <= 64 && !strings.Contains(local, "..") && local[len(local)-1] != '.' && !strings.ContainsAny(local, "*#!|")
}

// retina reports whether a label is the 2x of an image's name.
func retina(label string) bool {
	return len(label) <= 4 && len(label) >= 2 && (label[len(label)-1] == 'x' || label[len(label)-1] == 'X') && strings.Trim(label[:len(label)-1], "0123456789") == ""
}

// reported reports whether an address is a key of error reporting, which pages
// carry in their scripts.
func reported(local, domain string) bool {
	return len(local) >= 16 && strings.Contains(domain, "sentry") && strings.Trim(local, "0123456789abcdef") == ""
}

// domainAt reads a domain at position i; empty: there is none.
func domainAt(s string, i int) (domain string, end int) {
	end = i
	for end < len(s) && end-i <= 254 {
		r, size := utf8.DecodeRuneInString(s[end:])
		if r != '.' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			break
		}
		end += size
	}
	text := strings.TrimRight(s[i:end], ".-")
	labels := strings.Split(text, ".")
	for len(labels) >= 2 {
		last := len(labels) - 1
		if topLevel(labels[last]) {
			break
		}
		if cut := glued(labels[last]); cut > 0 && topLevel(labels[last][:cut]) {
			labels[last] = labels[last][:cut]
			break
		}
		labels = labels[:last]
	}
	domain = strings.Join(labels, ".")
	if len(labels) < 2 || !validLabels(labels) || len(domain) > 253 {
		return "", end
	}
	return strings.ToLower(domain), i + len(domain)
}

func validLabels(labels []string) bool {
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
	}
	return true
}

// topLevel reports whether a label is a top-level domain.
func topLevel(label string) bool {
	label = strings.ToLower(label)
	switch label {
	case "example", "test", "invalid", "localhost":
		return true
	}
	if len(label) < 2 {
		return false
	}
	ascii, err := idna.ToASCII(label)
	if err != nil {
		return false
	}
	_, icann := publicsuffix.PublicSuffix(ascii)
	return icann
}

// glued returns where another word begins in a label, at a change from lower
// to upper case or, behind "com", to another script; 0: nowhere.
func glued(label string) int {
	for i := 1; i < len(label); i++ {
		lower := label[i-1] >= 'a' && label[i-1] <= 'z'
		if lower && (label[i] >= 'A' && label[i] <= 'Z' || label[i] >= utf8.RuneSelf) {
			return i
		}
	}
	return 0
}

// The ways to write @ and . for people. What they match is short, and the
// pattern is run only on texts in which mayHide finds a sign of it.
const (
	hiddenAt  = `[\[({<]{1,2}\s*(?:at|@|ät|arroba|chiocciola|małpa|zavináč|kukac|snabel-?a|krøllalfa|собака|arobase|apenstaartje|a)\s*[\])}>]{1,2}`
	hiddenDot = `[\[({<]{1,2}\s*(?:dot|\.|punkt|point|punto|ponto|punt|kropka|tečka|prikk|точка|pont)\s*[\])}>]{1,2}`
)

var hidden = sync.OnceValue(func() [3]*regexp.Regexp {
	return [3]*regexp.Regexp{
		regexp.MustCompile(`(?i)([\p{L}\p{N}_.+-]+(?:\s*` + hiddenDot + `\s*[\p{L}\p{N}_+-]+)*)\s*` + hiddenAt + `\s*([\p{L}\p{N}.-]+(?:\s*(?:` + hiddenDot + `|\sdot\s)\s*[\p{L}\p{N}-]+)*)`),
		regexp.MustCompile(`([\p{L}\p{N}_.+-]+)\s+AT\s+([\p{L}\p{N}-]+(?:\s+DOT\s+[\p{L}\p{N}-]+)+)`),
		regexp.MustCompile(`(?i)([\p{L}\p{N}_.+-]+)@([\p{L}\p{N}-]+(?:\s*` + hiddenDot + `\s*[\p{L}\p{N}-]+)+)`),
	}
})

var dots = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\s*(?:` + hiddenDot + `|\s(?:dot|punkt|punto|ponto|point)\s)\s*`)
})

// spoken is a whole text of words: name at example dot com.
var spoken = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^([\p{L}\p{N}_.+-]+(?:\s(?:dot|punkt|punto|ponto|point)\s[\p{L}\p{N}_+-]+)*)\s+(?:at|@|arroba)\s+([\p{L}\p{N}-]+(?:\s+(?:dot|punkt|punto|ponto|point)\s+[\p{L}\p{N}-]+)+)$`)
})

// plain puts full stops in place of the words for them.
func plain(s string) string { return dots().ReplaceAllString(s, ".") }

// mayHide reports whether s has a sign of an address for people.
func mayHide(s string) bool {
	if strings.Contains(s, " AT ") && strings.Contains(s, "DOT") {
		return true
	}
	for i := 0; i+2 < len(s); i++ {
		if c := s[i]; c != '[' && c != '(' && c != '{' && c != '<' {
			continue
		}
		j := skipSpace(s[:min(len(s), i+6)], i+1)
		if j >= len(s) {
			break
		}
		switch s[j] {
		case 'a', 'A', '@', 'c', 'C', 'm', 'M', 'z', 'Z', 'k', 'K', 's', 'S', 'd', 'D', '.', 'p', 'P', 't', 'T', '[', '(', 0xc3, 0xd1, 0xd0:
			if k := strings.IndexAny(s[j:min(len(s), j+24)], "])}>"); k > 0 {
				return true
			}
		}
	}
	return false
}

// reveal writes addresses for people as addresses.
func reveal(s string) string {
	for _, re := range hidden() {
		s = re.ReplaceAllStringFunc(s, func(match string) string {
			m := re.FindStringSubmatch(match)
			address := plain(m[1]) + "@" + plain(m[2])
			if _, _, ok := addressAt(address, strings.IndexByte(address, '@')); !ok {
				return match
			}
			return address
		})
	}
	return s
}
