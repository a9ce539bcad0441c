package fetch

import (
	"strings"
	"testing"
	"time"
)

func TestRobotsRules(t *testing.T) {
	for _, c := range []struct {
		file, agent, path string
		allowed           bool
	}{
		{"User-agent: *\nDisallow: /a", "shoal", "/abc", false},
		{"User-agent: *\nDisallow: /a", "shoal", "/b/a", true},
		{"User-agent: *\nDisallow: /a", "shoal", "/", true},
		{"User-agent: *\nDisallow: /", "shoal", "/robots.txt", true},
		{"User-agent: *\nDisallow:", "shoal", "/x", true},
		{"User-agent: Shoal\nDisallow:\n\nUser-agent: *\nDisallow: /", "shoal", "/x", true},
		{"User-agent: *\nDisallow: /\n\nUser-agent: SHOAL/2.0\nDisallow: /a", "shoal", "/x", true},
		{"User-agent: shoalbot\nDisallow: /", "shoal", "/x", true},
		{"User-agent: s\nDisallow: /", "shoal", "/x", true},
		{"User-agent: a\nUser-agent: shoal\nDisallow: /", "shoal", "/x", false},
		{"User-agent: shoal\nDisallow: /a\n\nUser-agent: b\nDisallow: /c\n\nUser-agent: shoal\nDisallow: /b", "shoal", "/a", false},
		{"User-agent: shoal\nDisallow: /a\n\nUser-agent: b\nDisallow: /c\n\nUser-agent: shoal\nDisallow: /b", "shoal", "/b", false},
		{"User-agent: shoal\nDisallow: /a\n\nUser-agent: b\nDisallow: /c\n\nUser-agent: shoal\nDisallow: /b", "shoal", "/c", true},
		{"User-agent: *\nDisallow: /p\nAllow: /pub", "shoal", "/public", true},
		{"User-agent: *\nAllow: /pub\nDisallow: /public/x", "shoal", "/public/x", false},
		{"User-agent: *\nDisallow: /x\nAllow: /x", "shoal", "/x", true},
		{"User-agent: *\nAllow: /\nDisallow: /*.pdf$", "shoal", "/a.pdf", false},
		{"User-agent: *\nAllow: /\nDisallow: /*.pdf$", "shoal", "/a.pdf?x", true},
		{"User-agent: *\nDisallow: *.pdf", "shoal", "/a.pdf?x", false},
		{"User-agent: *\nDisallow: /a*b*c", "shoal", "/axxbxxcxx", false},
		{"User-agent: *\nDisallow: /a*b*c", "shoal", "/axxcxxbxx", true},
		{"User-agent: *\nDisallow: /a*b", "shoal", "/z/a-b", true},
		{"User-agent: *\nDisallow: /$", "shoal", "/", false},
		{"User-agent: *\nDisallow: /$", "shoal", "/x", true},
		{"User-agent: *\nDisallow: /*?", "shoal", "/x?y=1", false},
		{"User-agent: *\nDisallow: /*?", "shoal", "/x", true},
		{"User-agent: *\nDisallow: /caf%c3%a9", "shoal", "/caf%C3%A9", false},
		{"User-agent: *\nDisallow: /café", "shoal", "/caf%C3%A9", false},
		{"User-agent: *\nDisallow: /%7Euser", "shoal", "/~user", false},
		{"User-agent: *\nDisallow: /a%2Fb", "shoal", "/a/b", true},
		{"\ufeffUSER-AGENT : * # all\r\n DISALLOW : /a # not this\r\n", "shoal", "/a", false},
		{"User-agent: *\rDisallow: /a\r", "shoal", "/a", false},
		{"User-agent: *\nCrawl-delay: fast\nRubbish\nDisallow: /a", "shoal", "/a", false},
		{"Disallow: /a\nUser-agent: *\nDisallow: /b", "shoal", "/a", true},
		{"User-agent: *\nSitemap: http://x/\nDisallow: a", "shoal", "/a", false},
		{"", "shoal", "/a", true},
	} {
		if got := parseRobots(c.file).find(c.agent).allows(c.path); got != c.allowed {
			t.Errorf("%q: %s for %s: allowed is %v, want %v", c.file, c.path, c.agent, got, c.allowed)
		}
	}
}

func TestRobotsMatchingIsCheap(t *testing.T) {
	hard := "Disallow: /" + strings.Repeat("*a", 1000) + "b\n"
	g := parseRobots("User-agent: *\n" + strings.Repeat(hard, maxRobots/len(hard))).find("shoal")
	began := time.Now()
	if !g.allows("/" + strings.Repeat("a", 8000)) {
		t.Error("matched what lacks the last letter")
	}
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

// slowMatch is the definition of a pattern's meaning, to compare the fast one with.
func slowMatch(pattern, path string) bool {
	switch {
	case pattern == "":
		return true
	case pattern == "$":
		return path == ""
	case pattern[0] == '*':
		for i := 0; i <= len(path); i++ {
			if slowMatch(pattern[1:], path[i:]) {
				return true
			}
		}
		return false
	}
	return path != "" && path[0] == pattern[0] && slowMatch(pattern[1:], path[1:])
}

func FuzzRobotsMatch(f *testing.F) {
	f.Add("/a*b$", "/axb")
	f.Add("**", "")
	f.Add("/*$", "/$")
	f.Add("$", "")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern) > 12 || len(path) > 20 || strings.Contains(strings.TrimSuffix(pattern, "$"), "$") {
			return // the slow one is exponential; a $ within is a character to the fast one
		}
		if got, want := matches(pattern, path), slowMatch(pattern, path); got != want {
			t.Errorf("%q on %q: %v, want %v", pattern, path, got, want)
		}
	})
}

func FuzzRobotsFile(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /a*b$\nCrawl-delay: 3", "/a%zz")
	f.Add("User-agent: \nDisallow: %", "%")
	f.Fuzz(func(t *testing.T, file, path string) {
		parsed := parseRobots(file)
		for _, agent := range []string{"shoal", "", "*"} {
			g := parsed.find(agent)
			g.allows(path)
			if !g.allows("/robots.txt") {
				t.Error("robots.txt itself is forbidden")
			}
			if g != nil && (g.delay < 0 || g.delay > maxCrawlDelay) {
				t.Errorf("a delay of %s", g.delay)
			}
		}
		once := normalPath(path)
		if twice := normalPath(once); twice != once {
			t.Errorf("%q becomes %q and then %q", path, once, twice)
		}
		lower := strings.ToLower(file)
		if !strings.Contains(lower, "allow") && parseRobots(file+"\nUser-agent: shoal\nDisallow: /").find("shoal").allows("/x") {
			t.Errorf("%q undoes what follows it", file)
		}
	})
}
