package crawler

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"shoal"
)

// Account is the compiled account block of a definition: the type, how a
// session is tried, and how one is made.
type Account struct {
	Type shoal.AccountType
	// Health tells whether a session is logged in; nil: there is no telling.
	Health *Health
	// Login are the requests of a log-in; nil: sessions are made from cookies only.
	Login []*LoginStep
	// Reader reads the answers: a program with a kind of page for each request
	// that has values to read. Its one row has them all.
	Reader *Program
}

// LoginStep is one request with an account.
type LoginStep struct {
	Name string // in messages: log-in step 2
	When *Expr  // on the answer before; nil: always
	URL  *Template
	Message
	// Page is the kind of page in Account.Reader; empty: nothing is read.
	Page string
	// Hidden is true when the answer's form has fields for the next step.
	Hidden bool
	// Expect are what the answer can say, in order.
	Expect []*Detect
}

// Health is the request that tells whether a session is logged in.
type Health struct {
	LoginStep
	LoggedIn *Expr
	// Username is the value that says who is logged in; empty: none does.
	Username string
}

// HiddenField is the value of Account.Reader's rows that holds the hidden
// fields of a form: {"inputs": [{"name": …, "value": …}]}.
const HiddenField = "form_hidden_fields"

const (
	maxLoginSteps   = 20
	maxRunsPer      = 100
	maxBatchHours   = 24 * 31
	defaultCoolDown = 15 * time.Minute
)

// genericSlug is the slug of the type that no crawler declares.
const genericSlug = "cookie-session"

// CookieSession is the account type that works with any site: cookies that are
// sent to one domain, and no way to try them.
func CookieSession() shoal.AccountType {
	return shoal.AccountType{ID: AccountTypeID(genericSlug), Slug: genericSlug, Name: "Cookie session",
		Cookies: []shoal.AccountCookie{}, RunsPerAccount: 1, CoolDown: defaultCoolDown, Zone: "UTC"}
}

// AccountTypeID returns the id of the account type with the given slug, the
// same everywhere.
func AccountTypeID(slug string) string {
	sum := sha256.Sum256([]byte("account-type/" + slug))
	return hex.EncodeToString(sum[:16])
}

// accountReasons are what the answer of a log-in or a health check can mean.
var accountReasons = func() (all []string) {
	for _, s := range shoal.AccountStatuses()[1:] {
		all = append(all, string(s))
	}
	return all
}()

// countedByItself are the attributes that need no page to count them.
var countedByItself = []string{"requests", "results", "tasks"}

// account compiles the account block.
func (b *builder) account() {
	d := b.def.Account
	if d == nil {
		for i := range b.def.Pages {
			for _, c := range b.def.Pages[i].val.Counts {
				b.fail(c.at, "counts is about the limits of an account, and the definition has no account block")
			}
		}
		return
	}
	a := &Account{}
	b.program.Account, b.program.accountAt = a, d.at
	b.accountType(d, &a.Type)
	b.accountLimits(d, &a.Type)
	b.sessions(d, a)
	a.Type.HealthCheck, a.Type.LogIn = a.Health != nil, len(a.Login) > 0
	b.program.Info.Account = &a.Type
	b.program.Info.AccountRequired = b.choice(d.Requires, "value of requires", requirements) != "optional"
}

var requirements = []string{"required", "optional"}

// accountType compiles what identifies the type and its site.
func (b *builder) accountType(d *accountDef, t *shoal.AccountType) {
	switch {
	case !d.Slug.set():
		b.fail(d.at, "slug is missing in account; add for example: slug: %s", firstOr([]string{b.def.Slug.s}, "my-site"))
	case !slugForm.MatchString(d.Slug.s) || len(d.Slug.s) > 60:
		b.fail(d.Slug.at, "slug %q: use lower-case letters, digits and single hyphens, at most 60", clip(d.Slug.s, 80))
	case d.Slug.s == genericSlug:
		b.fail(d.Slug.at, "the slug %q is that of the type that every crawler can use; choose another", genericSlug)
	}
	if !d.Name.set() {
		b.fail(d.at, "name is missing in account; add for example: name: My site")
	}
	if d.Icon.set() && !strings.HasPrefix(d.Icon.s, "data:image/") {
		b.fail(d.Icon.at, "icon must be a data URI (data:image/…), so that showing it fetches nothing")
	}
	*t = shoal.AccountType{ID: AccountTypeID(d.Slug.s), Slug: d.Slug.s, Name: d.Name.s, Icon: d.Icon.s, BaseURL: d.BaseURL.s,
		Digest: d.digest(), Cookies: []shoal.AccountCookie{}, RunsPerAccount: 1, CoolDown: defaultCoolDown, Zone: "UTC"}
	t.Domain = b.accountDomain(d)
	for _, c := range d.Cookies {
		switch {
		case !c.Name.set() || !validHeaderName(c.Name.s):
			b.fail(orAt(c.Name.at, c.at), "cookie %q: a cookie's name has no spaces and none of ()<>@,;:\\\"/[]?={}", clip(c.Name.s, 60))
		case slices.ContainsFunc(t.Cookies, func(k shoal.AccountCookie) bool { return k.Name == c.Name.s }):
			b.fail(c.Name.at, "the cookie %q is named twice", clip(c.Name.s, 60))
		}
		t.Cookies = append(t.Cookies, shoal.AccountCookie{Name: c.Name.s, Required: c.Required})
	}
}

// accountDomain is the domain whose hosts get the cookies. A definition cannot
// send them to a site that baseurl does not belong to.
func (b *builder) accountDomain(d *accountDef) string {
	if !d.BaseURL.set() {
		b.fail(d.at, "baseurl is missing in account; add for example: baseurl: https://example.com/")
		return ""
	}
	u, err := url.Parse(d.BaseURL.s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		b.fail(d.BaseURL.at, "baseurl %q: write the site's address, such as https://example.com/", clip(d.BaseURL.s, 60))
		return ""
	}
	host := strings.ToLower(u.Hostname())
	registrable, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil || net.ParseIP(host) != nil {
		registrable = host
	}
	if !d.Domain.set() {
		return registrable
	}
	domain := strings.ToLower(strings.TrimPrefix(d.Domain.s, "."))
	within := domain == host || strings.HasSuffix(host, "."+domain)
	if !within || len(domain) < len(registrable) {
		b.fail(d.Domain.at, "domain %q: baseurl's host is %s, so that the domain can be %s", clip(d.Domain.s, 60), host, joinOr(registrable, host))
	}
	return domain
}

func joinOr(a, b string) string {
	if a == b {
		return a
	}
	return a + " or " + b
}

// accountLimits compiles what an account may be used for.
func (b *builder) accountLimits(d *accountDef, t *shoal.AccountType) {
	counted := map[string]bool{}
	for _, p := range b.program.Pages {
		for _, c := range p.Counts {
			counted[c] = true
		}
	}
	for i := range d.Limits {
		e := &d.Limits[i]
		switch {
		case !fieldName.MatchString(e.key) || e.key == shoal.ParamBatch || e.key == shoal.ParamBatchHours:
			b.fail(e.at, "limit %q: use lower-case letters, digits and underscores, beginning with a letter, and not batch or batch_hours", clip(e.key, 40))
		case !counted[e.key] && !slices.Contains(countedByItself, e.key):
			b.fail(e.at, "nothing counts %q: requests, results and tasks count by themselves; for another limit, give the kind of page that it is about counts: %s", clip(e.key, 40), clip(e.key, 40))
		}
		t.Limits = append(t.Limits, b.limit(e.at, e.key, &e.val, 1e9))
	}
	b.batch(d, t)
	t.RunsPerAccount = b.whole(d.RunsPerAccount, "runs_per_account", maxRunsPer, 1)
	if d.CoolDown.set() {
		t.CoolDown = b.duration(d.CoolDown, "cool_down", 7*24*time.Hour)
	}
	if d.Timezone.set() {
		t.Zone = d.Timezone.s
		if _, err := time.LoadLocation(t.Zone); err != nil || t.Zone == "" || t.Zone == "Local" {
			b.fail(d.Timezone.at, "timezone %q is no time zone; write an IANA name such as Europe/Paris", clip(d.Timezone.s, 40))
		}
	}
	if d.Reset.set() {
		at, err := time.Parse("15:04", d.Reset.s)
		if err != nil {
			b.fail(d.Reset.at, `reset is %q; write a time of day such as "04:00"`, clip(d.Reset.s, 20))
		}
		t.ResetAt = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	}
}

func (b *builder) batch(d *accountDef, t *shoal.AccountType) {
	if (d.Batch == nil) != (d.BatchHours == nil) {
		b.fail(d.at, "batch and batch_hours belong together: how much an account does at a stretch, and how long it then rests")
	}
	if d.BatchHours != nil {
		l := b.limit(d.BatchHours.at, shoal.ParamBatchHours, d.BatchHours, maxBatchHours)
		t.BatchHours = &l
	}
	if d.Batch == nil {
		return
	}
	l := b.limit(d.Batch.at, shoal.ParamBatch, &limitDef{d.Batch.at, d.Batch.Max, d.Batch.Default, d.Batch.Description}, 1e9)
	known := slices.Clone(countedByItself)
	for _, l := range t.Limits {
		if !slices.Contains(known, l.Name) {
			known = append(known, l.Name)
		}
	}
	if !d.Batch.Attribute.set() {
		b.fail(d.Batch.at, "batch needs attribute: what it counts, one of %s", strings.Join(known, ", "))
	}
	t.Batch = &shoal.AccountBatch{Attribute: b.choice(d.Batch.Attribute, "attribute", known), Max: l.Max, Default: l.Default, Description: l.Description}
}

func (b *builder) limit(place at, name string, d *limitDef, most int64) shoal.AccountLimit {
	l := shoal.AccountLimit{Name: name, Max: d.Max, Default: d.Max, Description: d.Description}
	if d.Default != nil {
		l.Default = *d.Default
	}
	if l.Max < 1 || l.Max > most || l.Default < 1 || l.Default > l.Max {
		b.fail(place, "%s: max is %d and default %d; max must be from 1 to %d, and default from 1 to max", clip(name, 40), l.Max, l.Default, most)
	}
	return l
}

// whole reads a whole number from 1 to most.
func (b *builder) whole(s scalar, what string, most, otherwise int) int {
	if !s.set() {
		return otherwise
	}
	n, ok := s.v.(int64)
	if !ok || n < 1 || n > int64(most) {
		b.fail(s.at, "%s is %s; it must be a whole number from 1 to %d", what, describe(s.v), most)
		return otherwise
	}
	return int(n)
}

// counts checks the limits that a kind of page counts against.
func (b *builder) counts(p *Page, names many[text]) {
	if b.def.Account == nil {
		return // account says so
	}
	var known []string
	for _, e := range b.def.Account.Limits {
		if !slices.Contains(countedByItself, e.key) {
			known = append(known, e.key)
		}
	}
	for _, n := range names {
		if !slices.Contains(known, n.s) {
			b.fail(n.at, "%s", unknown("limit", n.s, "the account's limits that pages count", known))
			continue
		}
		p.Counts = append(p.Counts, n.s)
	}
}

// decode keeps the block as it stands, to tell it from another crawler's.
func (a *accountDef) decode(d *decoder, n *node, what string) {
	type accountDefPlain accountDef
	d.decode(n, (*accountDefPlain)(a), what)
	a.node = n
}

// digest is the same for blocks that say the same of the type, whatever the
// order of their keys; whether a crawler requires an account is its own matter.
func (a *accountDef) digest() string {
	v, ok := whole(a.node).(map[string]any)
	if !ok {
		return ""
	}
	delete(v, "requires")
	sum := sha256.Sum256(fmt.Appendf(nil, "%#v", v)) // fmt sorts the keys
	return hex.EncodeToString(sum[:])
}
