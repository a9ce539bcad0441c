package crawler

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoal"
)

const (
	defaultConcurrency = 20
	maxConcurrency     = 1000
	defaultErrorBudget = 0.1
	maxAddons          = 32 // bits of shoal.Row.Functions
)

// Compile parses, checks and compiles the definition src, whose name in
// messages is file. The error is Problems and names everything that is wrong
// at once, as far as one mistake does not hide another.
func Compile(file string, src []byte) (*Program, error) {
	root, problems := parseYAML(file, src)
	if len(problems) > 0 {
		return nil, problems
	}
	d := &decoder{file: file}
	var def definition
	d.decode(root, &def, "the definition")
	b := &builder{def: &def, file: file, problems: d.problems, program: &Program{Source: src}}
	b.build()
	if len(b.problems) > 0 {
		return nil, b.problems.sorted()
	}
	return b.program, nil
}

// ID returns the id of the crawler with the given slug, the same everywhere.
func ID(slug string) shoal.CrawlerID {
	sum := sha256.Sum256([]byte("shoal crawler " + slug))
	return shoal.CrawlerID(hex.EncodeToString(sum[:16]))
}

// builder compiles one definition.
type builder struct {
	def        *definition
	file       string
	problems   Problems
	program    *Program
	names      names
	attributes map[string]int
	regexps    int // the size of those compiled so far
}

func (b *builder) fail(p at, format string, args ...any) {
	b.problems = append(b.problems, Problem{b.file, p.line, p.col, fmt.Sprintf(format, args...)})
}

func (b *builder) build() {
	b.identity()
	b.inputs()
	b.fetch()
	b.pages()
	b.starts()
	b.since()
	b.account()
	b.program.Detect = b.detects(b.def.Detect)
	b.tests()
}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (b *builder) identity() {
	d, info := b.def, &b.program.Info
	switch {
	case !d.Slug.set():
		b.fail(d.at, "slug is missing; add for example: slug: my-crawler")
	case !slugForm.MatchString(d.Slug.s) || len(d.Slug.s) > 60:
		b.fail(d.Slug.at, "slug %q: use lower-case letters, digits and single hyphens, at most 60", clip(d.Slug.s, 80))
	}
	b.name()
	if d.Icon.set() && !strings.HasPrefix(d.Icon.s, "data:image/") {
		b.fail(d.Icon.at, "icon must be a data URI (data:image/…), so that showing it fetches nothing")
	}
	sum := sha256.Sum256(b.program.Source)
	*info = shoal.Crawler{
		ID: ID(d.Slug.s), Slug: d.Slug.s, Name: d.Name.s, Description: strings.TrimSpace(d.Description), Icon: d.Icon.s,
		Domain: d.Domain, Version: max(1, d.Version), Digest: hex.EncodeToString(sum[:]),
		IsPublic: true, IsAvailable: true, IsPremium: d.Premium, CreditsPerRow: shoal.CreditsOf(1),
	}
	if d.CreditsPerRow != nil {
		info.CreditsPerRow = b.credits(d.at, "credits_per_row", *d.CreditsPerRow)
	}
	info.MaxConcurrency = defaultConcurrency
	if d.MaxConcurrency.set() {
		n, ok := d.MaxConcurrency.v.(int64)
		if !ok || n < 1 || n > maxConcurrency {
			b.fail(d.MaxConcurrency.at, "max_concurrency is %s; it must be a whole number from 1 to %d", describe(d.MaxConcurrency.v), maxConcurrency)
		}
		info.MaxConcurrency = int(n)
	}
	b.program.ErrorBudget = defaultErrorBudget
	if d.ErrorBudget.set() {
		f, ok := number(d.ErrorBudget.v)
		if !ok || f < 0 || f > 1 {
			b.fail(d.ErrorBudget.at, "error_budget is %s; it must be a share from 0 to 1", describe(d.ErrorBudget.v))
		}
		b.program.ErrorBudget = f
	}
}

// name checks that a crawler can be found by its name: clients look up a slug
// without a hyphen as the name in lower case.
func (b *builder) name() {
	d := b.def
	switch {
	case !d.Name.set():
		b.fail(d.at, "name is missing; add for example: name: My crawler")
	case slugForm.MatchString(d.Slug.s) && !strings.Contains(d.Slug.s, "-") && strings.ToLower(d.Name.s) != d.Slug.s:
		b.fail(d.Name.at, "the slug %q has no hyphen, so the name must be the same in any case (for example %q), or give the slug a hyphen",
			d.Slug.s, strings.ToUpper(d.Slug.s[:1])+d.Slug.s[1:])
	}
}

func (b *builder) credits(p at, what string, n float64) shoal.Credits {
	if n < 0 || n > 1e6 {
		b.fail(p, "%s is %v; it must be from 0 to 1000000", what, n)
		return 0
	}
	return shoal.CreditsOf(n)
}

func (b *builder) fetch() {
	d, p := &b.def.Fetch, &b.program.Policy
	*p = Policy{Robots: true, Retries: -1}
	if d.Robots != nil && !*d.Robots {
		if strings.TrimSpace(d.Why) == "" {
			b.fail(d.at, "robots: false needs a why: that says with what right the site's robots.txt is left aside")
		}
		p.Robots, p.RobotsWhy = false, d.Why
	}
	p.Delay = b.duration(d.Delay, "delay", time.Hour)
	p.Timeout = b.duration(d.Timeout, "timeout", time.Hour)
	if d.HostConcurrency < 0 || d.HostConcurrency > maxConcurrency {
		b.fail(d.at, "host_concurrency is %d; it must be from 1 to %d", d.HostConcurrency, maxConcurrency)
	}
	p.HostConcurrency = d.HostConcurrency
	if d.Retries != nil {
		if p.Retries = *d.Retries; p.Retries < 0 || p.Retries > 20 {
			b.fail(d.at, "retries is %d; it must be from 0 to 20", p.Retries)
		}
	}
	p.MaxBytes = b.bytes(d.MaxBytes)
	p.Cookies = b.cookies(d.Cookies)
	for _, h := range d.Header {
		if !validHeaderName(h.key) || strings.ContainsAny(h.val.s, "\r\n\x00") {
			b.fail(h.at, "header %q is not a valid HTTP header", clip(h.key, 60))
			continue
		}
		if p.Header == nil {
			p.Header = map[string]string{}
		}
		p.Header[h.key] = h.val.s
	}
}

func (b *builder) duration(t text, what string, most time.Duration) time.Duration {
	if !t.set() {
		return 0
	}
	d, err := time.ParseDuration(t.s)
	if err != nil || d < 0 || d > most {
		b.fail(t.at, "%s is %q; write a time such as 500ms, 2s or 1m, at most %s", what, clip(t.s, 40), most)
	}
	return d
}

var byteUnits = []struct {
	suffix string
	size   int64
}{{"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"B", 1}, {"", 1}}

func (b *builder) bytes(t text) int64 {
	if !t.set() {
		return 0
	}
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(strings.ToUpper(strings.ReplaceAll(t.s, " ", "")), u.suffix)
		if n, err := strconv.ParseInt(digits, 10, 32); ok && err == nil && n > 0 && n*u.size <= 2<<30 {
			return n * u.size
		}
	}
	b.fail(t.at, "max_bytes is %q; write a size such as 500KB or 10MB, at most 2GB", clip(t.s, 40))
	return 0
}

func validHeaderName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") == ""
}

// expr compiles a condition (want "bool") or a value; nil when t is not set.
func (b *builder) expr(t text, want, what string) *Expr {
	if !t.set() {
		return nil
	}
	e, err := compileExpr(t.s, want, &b.names)
	if err != nil {
		b.fail(t.at, "%s %q: %s", what, clip(t.s, 60), err)
		return nil
	}
	return e
}

// template compiles a template; nil when t is not set.
func (b *builder) template(t text, isURL bool, what string) *Template {
	if !t.set() {
		return nil
	}
	tmpl, err := compileTemplate(t.s, isURL, &b.names)
	if err != nil {
		b.fail(t.at, "%s %q: %s", what, clip(t.s, 60), err)
		return nil
	}
	return tmpl
}

// regexp compiles a regular expression; nil when t is not set.
func (b *builder) regexp(t text, what string) *Regexp {
	if !t.set() {
		return nil
	}
	re, err := CompileRegexp(t.s)
	if err != nil {
		if errors.Is(err, errRegexpSize) {
			b.fail(t.at, "%s: %s", what, err)
			return nil
		}
		b.fail(t.at, "%s is no valid regular expression: %s (RE2 syntax: no look-around, no back-references)", what,
			strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	if b.regexps += re.Size; b.regexps > maxRegexps && b.regexps-re.Size <= maxRegexps {
		b.fail(t.at, "the regular expressions up to here have more than %d steps together when their repetitions are written out", maxRegexps)
	}
	return re
}

// choice checks that t is one of the known names.
func (b *builder) choice(t text, what string, known []string) string {
	if t.set() && !slices.Contains(known, t.s) {
		b.fail(t.at, "%s", unknown(what, t.s, "this place", known))
	}
	return t.s
}
