package value

import (
	_ "embed"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// phonesText has a line for each region's numbering plan, from libphonenumber's
// metadata: region, calling code, whether it is the code's main region,
// lengths, international prefix, national prefix, its transform rule, leading
// digits, the general pattern and that of assigned numbers. gen makes it.
//
//go:embed phones.txt
var phonesText string

// plan is a region's numbering plan (ITU-T E.164). Patterns are compiled when
// they are first used.
type plan struct {
	region, code      string
	main              bool
	lengths           uint32 // bit n: n digits are possible
	transform         string
	international     pattern
	prefix            pattern
	leading           pattern
	general, assigned pattern
}

// pattern is a regular expression that is compiled at its first use.
type pattern struct {
	text  string
	whole bool // it must match the whole text, else its beginning
	once  sync.Once
	re    *regexp.Regexp
}

func (p *pattern) find(s string) []int {
	if p.text == "" {
		return nil
	}
	p.once.Do(func() {
		text := "^(?:" + p.text + ")"
		if p.whole {
			text += "$"
		}
		p.re, _ = regexp.Compile(text)
	})
	if p.re == nil {
		return nil
	}
	return p.re.FindStringSubmatchIndex(s)
}

func (p *pattern) matches(s string) bool { return p.find(s) != nil }

// bracedGroups keeps a group's number apart from digits that follow it.
var bracedGroups = strings.NewReplacer("$1", "${1}", "$2", "${2}", "$3", "${3}")

type plans struct {
	byRegion map[string]*plan
	byCode   map[string][]*plan // the main region first
}

var phonePlans = sync.OnceValue(func() plans {
	t := plans{map[string]*plan{}, map[string][]*plan{}}
	for line := range strings.SplitSeq(strings.TrimSpace(phonesText), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 10 {
			continue
		}
		p := &plan{region: f[0], code: f[1], main: f[2] == "1", transform: bracedGroups.Replace(f[6])}
		for n := range strings.SplitSeq(f[3], ",") {
			p.lengths |= 1 << (number(n) & 31)
		}
		p.international.text, p.prefix.text, p.leading.text = f[4], f[5], f[7]
		p.general.text, p.general.whole = f[8], true
		p.assigned.text, p.assigned.whole = f[9], true
		t.byRegion[p.region] = p
		if list := t.byCode[p.code]; p.main {
			t.byCode[p.code] = append([]*plan{p}, list...)
		} else {
			t.byCode[p.code] = append(list, p)
		}
	}
	return t
})

// How sure it is that digits are a phone number.
const (
	noPhone  = 0
	possible = 1 // of a length and form that the plan has
	assigned = 2 // of a block that is in use
)

// international splits digits that begin with a calling code.
func international(digits string) (e164 string, sure int) {
	t := phonePlans()
	for n := 1; n <= 3 && n < len(digits); n++ {
		list := t.byCode[digits[:n]]
		if list == nil {
			continue
		}
		rest := digits[n:]
		if sure := rate(list, rest); sure > noPhone {
			return "+" + digits[:n] + rest, sure
		}
		// The national prefix does not belong here, but is often written.
		if stripped := list[0].strip(rest); stripped != rest {
			if sure := rate(list, stripped); sure > noPhone {
				return "+" + digits[:n] + stripped, sure
			}
		}
		return "", noPhone
	}
	return "", noPhone
}

// rate says how sure a national number is one of these regions.
func rate(list []*plan, national string) int {
	if len(national) > 15 || list[0].lengths&(1<<len(national)) == 0 || !list[0].general.matches(national) {
		return noPhone
	}
	for _, p := range list {
		if p.assigned.matches(national) {
			return assigned
		}
	}
	return possible
}

// strip takes the national prefix off, if what is left is a number.
func (p *plan) strip(digits string) string {
	m := p.prefix.find(digits)
	if m == nil || m[1] == 0 {
		return digits
	}
	rest := digits[m[1]:]
	if p.transform != "" && len(m) >= 4 && m[len(m)-2] >= 0 {
		rest = string(p.prefix.re.ExpandString(nil, p.transform, digits, m)) + rest
	}
	if p.general.matches(digits) && !p.general.matches(rest) {
		return digits
	}
	return rest
}

// national reads digits as they are dialled in the region.
func (p *plan) national(digits string) (e164 string, sure int) {
	if m := p.international.find(digits); m != nil && m[1] > 0 {
		if e164, sure := international(digits[m[1]:]); sure > noPhone {
			return e164, sure
		}
	}
	list := phonePlans().byCode[p.code]
	own := append([]*plan{p}, list...)
	rest := p.strip(digits)
	if sure := rate(own, rest); sure > noPhone {
		return "+" + p.code + rest, sure
	}
	if sure := rate(own, digits); sure > noPhone {
		return "+" + p.code + digits, sure
	}
	if rest, ok := strings.CutPrefix(digits, p.code); ok {
		if sure := rate(own, p.strip(rest)); sure > noPhone {
			return "+" + p.code + p.strip(rest), sure
		}
	}
	return "", noPhone
}

// Phone reads the first phone number of s, a text or a tel: link, in the form
// of E.164 ("+4930123456"). region is the ISO 3166-1 alpha-2 code of the
// country in which a number without a calling code is meant; empty: only
// numbers with one are read. The number must have a length and a form that its
// country's numbering plan has; extensions are dropped.
func Phone(s, region string) (e164 string, ok bool) {
	s = telephoneLink(clipTo(s, 2000))
	p := phonePlans().byRegion[strings.ToUpper(strings.TrimSpace(region))]
	for from := 0; ; {
		c, found := nextCandidate(s, from, 4)
		if !found {
			return "", false
		}
		if e164, sure := c.shorten(p, nil); sure > noPhone {
			return e164, true
		}
		from = c.next()
	}
}

// telephoneLink makes a text of a tel: link (RFC 3966).
func telephoneLink(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 4 || !strings.EqualFold(s[:4], "tel:") {
		return s
	}
	s = s[4:]
	if text, err := url.PathUnescape(s); err == nil {
		s = text
	}
	number, params, _ := strings.Cut(s, ";")
	if _, context, ok := strings.Cut(params, "phone-context="); ok && strings.HasPrefix(context, "+") {
		context, _, _ = strings.Cut(context, ";")
		number = context + number
	}
	return number
}

// maxPhones is how many numbers Phones returns at most.
const maxPhones = 1000

// Phones reads the phone numbers of a running text, each once, in order. It is
// stricter than Phone: a number must be of a block that is assigned, or have a
// + or a word such as Tel. before it; and without either it must be written
// like a phone number, in groups or with the trunk prefix. Dates, prices,
// addresses of the internet and plain runs of digits are none.
func Phones(s, region string) []string {
	p := phonePlans().byRegion[strings.ToUpper(strings.TrimSpace(region))]
	var found []string
	seen := map[string]bool{}
	for from := 0; len(found) < maxPhones; {
		c, ok := nextCandidate(s, from, 5)
		if !ok {
			break
		}
		told := c.plus || labelled(s, c.start)
		e164, sure := c.shorten(p, func(c *candidate) bool { return c.apart(s) && (told || c.written(p)) })
		if sure == assigned || sure == possible && told {
			from = c.end
			if !seen[e164] {
				seen[e164] = true
				found = append(found, e164)
			}
			continue
		}
		from = c.next()
	}
	return found
}

// candidate is a piece of text that may be a phone number.
type candidate struct {
	start, end int
	digits     string
	plus       bool
	trunk      int   // where in digits the 0 of "(0)" stands; -1: nowhere
	groups     []int // lengths of the runs of digits
	ends       []int // where each ends in the text
	seps       []string
}

const maxPhoneDigits = 20

// nextCandidate finds the next piece of at least so many digits with the signs
// that stand in phone numbers between.
func nextCandidate(s string, from, least int) (candidate, bool) {
	for {
		i := findDigit(s, from)
		if i < 0 {
			return candidate{}, false
		}
		c := candidateAt(s, i)
		if len(c.digits) >= least {
			return c, true
		}
		from = c.end
	}
}

func candidateAt(s string, i int) candidate {
	c := candidate{start: i, trunk: -1}
	for lead := i; lead > 0 && i-lead < 8; {
		r, size := utf8.DecodeLastRuneInString(s[:lead])
		if r == '+' || r == '＋' {
			c.plus, c.start = true, lead-size
			break
		}
		if r == '(' || r == '[' {
			c.start = lead - size
		} else if r != ' ' {
			break
		}
		lead -= size
	}
	var digits []byte
	for i < len(s) {
		have := len(digits)
		opened := before(s, i) == '('
		var end int
		digits, end = appendDigits(digits, s, i)
		c.groups = append(c.groups, len(digits)-have)
		if opened && len(digits)-have == 1 && digits[have] == '0' && after(s, end) == ')' && have > 0 {
			c.trunk = have
		}
		c.end = end
		c.ends = append(c.ends, end)
		i = end
		next := end
		for n := 0; next < len(s) && n < 4; n++ {
			r, size := utf8.DecodeRuneInString(s[next:])
			if !phoneSeparator(r) {
				break
			}
			next += size
		}
		if len(digits) >= maxPhoneDigits || next == end || next >= len(s) || digit(after(s, next)) < 0 {
			break
		}
		c.seps = append(c.seps, s[end:next])
		i = next
	}
	c.digits = string(digits)
	return c
}

func phoneSeparator(r rune) bool {
	switch r {
	case '-', '.', '(', ')', '/', '[', ']', '‐', '‑', '–', '−', '·', '‒', '－', '（', '）', '~':
		return true
	}
	return isSpace(r) && r != '\n'
}

// shorten reads the candidate or, where that is none, as many of its first
// groups as are one: several numbers may stand in a row. fits, if given, must
// hold for what is read.
func (c *candidate) shorten(p *plan, fits func(*candidate) bool) (e164 string, sure int) {
	all := *c
	for k := len(all.groups); k > 0; k-- {
		n := sum(all.groups[:k])
		if k < len(all.groups) && (n < 7 || n > 15) {
			continue
		}
		c.groups, c.ends, c.digits, c.end = all.groups[:k], all.ends[:k], all.digits[:n], all.ends[k-1]
		c.seps = all.seps[:k-1]
		if c.trunk >= n {
			c.trunk = -1
		}
		if fits != nil && !fits(c) {
			continue
		}
		if e164, sure = c.read(p); sure > noPhone {
			return e164, sure
		}
	}
	*c = all
	return "", noPhone
}

// next is where to look on when the candidate was none: behind its first
// group, unless it has so many that it is a table of numbers.
func (c *candidate) next() int {
	if len(c.ends) > 6 {
		return c.end
	}
	return c.ends[0]
}

// read reads the candidate as a number of the world or of the region p (nil:
// none).
func (c *candidate) read(p *plan) (e164 string, sure int) {
	digits := c.digits
	if c.trunk >= 0 {
		// +49 (0)30: the 0 is for callers at home, but Italians keep theirs.
		if e164, sure = c.dial(digits[:c.trunk]+digits[c.trunk+1:], p); sure > noPhone {
			return e164, sure
		}
	}
	return c.dial(digits, p)
}

func (c *candidate) dial(digits string, p *plan) (e164 string, sure int) {
	if c.plus {
		return international(digits)
	}
	if p == nil {
		if rest, ok := strings.CutPrefix(digits, "00"); ok {
			return international(rest)
		}
		return "", noPhone
	}
	return p.national(digits)
}

// apart reports whether the candidate is not a part of something else.
func (c *candidate) apart(s string) bool {
	if r := before(s, c.start); isWord(r) || strings.ContainsRune("$€£¥#=_@&%", r) && r != 0 || (r == '.' || r == ',' || r == '-' || r == '/' || r == ':') && !c.plus && digit(before(s, c.start-1)) >= 0 || r == '/' && !c.plus {
		return false
	}
	r := after(s, c.end)
	if isWord(r) && !extension(s[c.end:]) || r != 0 && strings.ContainsRune("%€$£¥@_=:", r) {
		return false
	}
	if at := skipSpace(s, c.end); r == ',' && digit(after(s, c.end+1)) >= 0 || at < len(s) && strings.ContainsRune("€$£¥%", after(s, at)) {
		return false
	}
	return true
}

// extension reports whether an extension follows: x12, ext. 12.
func extension(rest string) bool {
	rest = strings.ToLower(clipTo(rest, 6))
	return strings.HasPrefix(rest, "ext") || strings.HasPrefix(rest, "x") && digit(after(rest, skipSpace(rest, 1))) >= 0
}

// written reports whether the digits are set as phone numbers are, and not as
// dates, addresses, numbers of books or plain numbers.
func (c *candidate) written(p *plan) bool {
	if p == nil || len(c.groups) == 1 && c.digits[0] != '0' || c.dateLike() {
		return false
	}
	if dots := strings.Count(strings.Join(c.seps, ""), "."); dots > 0 && dots == len(c.groups)-1 && (len(c.groups) == 2 || len(c.groups) == 4 && max(c.groups[0], c.groups[1], c.groups[2], c.groups[3]) <= 3 && c.digits[0] != '0') {
		return false // a decimal, or an address such as 192.168.100.100
	}
	if len(c.digits) == 13 && (strings.HasPrefix(c.digits, "978") || strings.HasPrefix(c.digits, "979")) {
		return false
	}
	switch {
	case p.code == "1":
		g := c.groups
		if g[0] == 1 && c.digits[0] == '1' {
			g = g[1:]
		}
		return len(g) == 3 && g[0] == 3 && g[1] == 3 && g[2] == 4
	case strings.HasPrefix(p.prefix.text, "0"):
		return c.digits[0] == '0'
	}
	for _, n := range c.groups {
		if n < 2 {
			return false
		}
	}
	return len(c.groups) > 1
}

// dateLike reports whether the groups are those of a date or of years.
func (c *candidate) dateLike() bool {
	g := c.groups
	year := func(from int) bool {
		y := c.digits[from : from+4]
		return y >= "1900" && y < "2100"
	}
	switch {
	case len(g) >= 3 && g[0] == 4 && g[1] <= 2 && g[2] <= 2 && year(0):
		return true
	case len(g) >= 3 && g[0] <= 2 && g[1] <= 2 && g[2] == 4 && year(g[0]+g[1]):
		return true
	case len(g) == 3 && g[0] <= 2 && g[1] <= 2 && g[2] == 2:
		return true
	case len(g) == 2 && g[0] == 4 && g[1] == 4 && year(0) && year(4):
		return true
	}
	return false
}

// labelled reports whether a word for a phone stands before position i.
func labelled(s string, i int) bool {
	from := max(0, i-24)
	for from < i && !utf8.RuneStart(s[from]) {
		from++
	}
	text := strings.ToLower(s[from:i])
	if cut := strings.LastIndexAny(text, "\n;|0123456789"); cut >= 0 {
		text = text[cut+1:]
	}
	for _, word := range []string{"tel", "tél", "phone", "fon", "call", "fax", "mobil", "móvil", "handy", "cell", "telef", "тел", "☎", "📞", "✆", "📱", "whatsapp", "hotline", "电话", "電話", "手机", "전화", "gsm", "puh", "tlf", "τηλ", "هاتف", "טל"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
