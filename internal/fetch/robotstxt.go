package fetch

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// robotsFile is a parsed robots.txt (RFC 9309). A parser of our own, because the
// library at hand (temoto/robotstxt) rejects a whole file for one bad line, drops
// groups that allow everything, ignores the order of precedence for wildcards and
// does not anchor them.
type robotsFile struct {
	groups map[string]*group // by product token, lower case; "*" is for the others
	size   int               // bytes, to bound what is remembered
}

// group is the rules for one robot.
type group struct {
	rules []rule
	delay time.Duration // Crawl-delay
}

type rule struct {
	pattern string
	allow   bool
}

const (
	// maxRobots is how much of a file is read (RFC 9309, section 2.5).
	maxRobots = 500 << 10
	// maxPattern is how long a rule can be: longer ones match no URL in use.
	maxPattern = 4 << 10
	// maxCrawlDelay is the longest Crawl-delay that is obeyed in full.
	maxCrawlDelay = 30 * time.Second
)

// parseRobots reads any text: lines that it does not know are passed over.
func parseRobots(text string) *robotsFile {
	f := &robotsFile{groups: map[string]*group{}, size: len(text)}
	var agents []string
	open := false // the last line was a User-agent, another one joins it
	for line := range lines(strings.TrimPrefix(text, "\ufeff")) {
		name, value, ok := field(line)
		switch {
		case !ok:
		case name == "user-agent" || name == "useragent" || name == "user agent":
			if !open {
				agents = agents[:0]
			}
			agents, open = append(agents, token(value)), true
			f.group(token(value))
		case name == "allow" || name == "disallow":
			open = false
			f.rule(agents, value, name == "allow")
		case name == "crawl-delay" || name == "crawldelay":
			open = false
			f.delay(agents, value)
		}
	}
	return f
}

// lines splits at \n, \r or both.
func lines(text string) func(yield func(string) bool) {
	return strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' })
}

// field splits "name: value # comment".
func field(line string) (name, value string, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	name, value, ok = strings.Cut(line, ":")
	return strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value), ok
}

// token is the product token of a User-agent line or header, in lower case:
// "Shoal" of "Shoal/1.0 (...)".
func token(agent string) string {
	if strings.HasPrefix(agent, "*") {
		return "*"
	}
	end := strings.IndexFunc(agent, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_')
	})
	if end >= 0 {
		agent = agent[:end]
	}
	return strings.ToLower(agent)
}

// group finds or begins a group: groups for one robot are one (section 2.2.1).
func (f *robotsFile) group(agent string) *group {
	g := f.groups[agent]
	if g == nil {
		g = &group{}
		f.groups[agent] = g
	}
	return g
}

func (f *robotsFile) rule(agents []string, pattern string, allow bool) {
	if pattern == "" || len(pattern) > maxPattern {
		return // "Disallow:" without a path forbids nothing
	}
	if pattern[0] != '/' && pattern[0] != '*' {
		pattern = "/" + pattern
	}
	for _, agent := range agents {
		g := f.group(agent)
		g.rules = append(g.rules, rule{normalPath(pattern), allow})
	}
}

func (f *robotsFile) delay(agents []string, value string) {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || !(seconds > 0) {
		return
	}
	delay := maxCrawlDelay
	if seconds < maxCrawlDelay.Seconds() {
		delay = time.Duration(seconds * float64(time.Second))
	}
	for _, agent := range agents {
		f.group(agent).delay = delay
	}
}

// find gives the group for a robot, nil when none applies.
func (f *robotsFile) find(agent string) *group {
	if g := f.groups[agent]; g != nil && agent != "" {
		return g
	}
	return f.groups["*"]
}

// allows says whether a path with its query may be fetched: the longest pattern
// that matches decides, Allow between equals (section 2.2.2).
func (g *group) allows(path string) bool {
	if g == nil || len(g.rules) == 0 || path == "/robots.txt" {
		return true
	}
	path = normalPath(cmp.Or(path, "/"))
	longest, allow := -1, true
	for _, r := range g.rules {
		if n := len(r.pattern); (n > longest || n == longest && r.allow) && matches(r.pattern, path) {
			longest, allow = n, r.allow
		}
	}
	return allow
}

// matches reports whether the pattern matches a beginning of the path; * stands
// for anything, $ at the end for the end. Taking each part between stars where it
// first occurs is always right, so one pass over the path does.
func matches(pattern, path string) bool {
	pattern, whole := strings.CutSuffix(pattern, "$")
	part, rest, star := strings.Cut(pattern, "*")
	path, ok := strings.CutPrefix(path, part)
	for ok && star {
		part, rest, star = strings.Cut(rest, "*")
		if whole && !star {
			return strings.HasSuffix(path, part)
		}
		_, path, ok = strings.Cut(path, part)
	}
	return ok && (!whole || path == "")
}

// normalPath brings a path into one spelling: bytes beyond ASCII escaped, escapes
// in upper case, and none for characters that need none (section 2.2.2).
func normalPath(path string) string {
	plain := true
	for i := 0; i < len(path) && plain; i++ {
		plain = path[i] != '%' && path[i] < 0x80
	}
	if plain {
		return path
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				i += 2
				if c = byte(n); unreserved(c) {
					b.WriteByte(c)
				} else {
					b.Write([]byte{'%', hex[c>>4], hex[c&15]})
				}
				continue
			}
		}
		if c >= 0x80 {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unreserved characters mean the same escaped or not (RFC 3986, section 2.3).
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
