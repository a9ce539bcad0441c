package crawler

import (
	"fmt"
	"slices"

	"shoal"
)

// sessions compiles the health check and the log-in. Their expressions know
// other names than those of pages, so that they have a builder of their own.
func (b *builder) sessions(d *accountDef, a *Account) {
	s := &builder{def: &definition{Account: d}, file: b.file, regexps: b.regexps, attributes: map[string]int{},
		program: &Program{Pages: map[string]*Page{}, Policy: Policy{Retries: -1}}}
	s.names.login = true
	for i := range d.Login {
		s.names.read = appendNames(s.names.read, d.Login[i].Read)
	}
	if h := d.Health; h != nil {
		s.names.read = appendNames(s.names.read, h.Read)
	}
	slices.Sort(s.names.read)
	s.names.read = slices.Compact(s.names.read)
	for i := range d.Login {
		a.Login = append(a.Login, s.step(i, &d.Login[i]))
	}
	if d.Health != nil {
		a.Health = s.health(d.Health)
	}
	if len(d.Login) > 0 && d.Health == nil {
		s.fail(d.at, "login needs health: a request that tells whether the log-in worked, for example: health: {url: /, logged_in: \"body contains 'Log out'\"}")
	}
	if len(d.Login) > maxLoginSteps {
		s.fail(d.Login[maxLoginSteps].at, "a log-in has at most %d steps", maxLoginSteps)
	}
	s.sends(d, a)
	a.Reader = s.program
	b.problems, b.regexps = append(b.problems, s.problems...), s.regexps
}

// sends checks that what a person types is sent somewhere.
func (b *builder) sends(d *accountDef, a *Account) {
	if len(a.Login) == 0 {
		return
	}
	if i := slices.IndexFunc(a.Login, func(s *LoginStep) bool { return s.Uses.Password }); i < 0 {
		b.fail(d.Login[0].at, `no step of login sends the password; add for example: form: {user: "{{ username }}", pass: "{{ password }}"}`)
	}
	if last := len(a.Login) - 1; a.Login[last].Hidden {
		b.fail(d.Login[last].Hidden.at, "hidden is for the fields that the next step sends along, and no step follows")
	}
	for i, s := range a.Login {
		if i > 0 && a.Login[i-1].Hidden && (s.Body == nil || s.Body.Form == nil) {
			b.fail(d.Login[i].at, "the step before has hidden: the fields of a form, so that this step needs form: what it sends besides")
		}
	}
	if a.Login[0].When != nil {
		b.fail(d.Login[0].When.at, "the first step has no answer before it that its when could be about")
	}
}

func (b *builder) step(i int, d *stepDef) *LoginStep {
	s := b.request(d, fmt.Sprintf("log-in step %d", i+1))
	s.When = b.expr(d.When, "bool", "when")
	if !d.URL.set() {
		b.fail(d.at, "url is missing in a step of login; it may be relative to baseurl")
	}
	if t := orText(d.LoggedIn, d.Username); t.set() {
		b.fail(t.at, "logged_in and username belong into health, which tries the session")
	}
	read := d.Read
	if d.Hidden.set() {
		s.Hidden = true
		read = append(slices.Clone(read), hiddenFields(d.Hidden))
	}
	s.Page = b.reads(fmt.Sprintf("login-%d", i+1), d.at, d.Format, read)
	return s
}

// request compiles what every request with an account has.
func (b *builder) request(d *stepDef, name string) *LoginStep {
	s := &LoginStep{Name: name, URL: b.addressOf(d.URL, "url"), Expect: b.detectsOf(d.Expect, accountReasons),
		Message: b.message(d.at, message{d.Method, d.Header, d.Body, d.Form, d.JSON, d.GraphQL})}
	if s.URL != nil {
		s.Uses.add(s.URL.Uses)
	}
	return s
}

func (b *builder) health(d *stepDef) *Health {
	h := &Health{LoginStep: *b.request(d, "health check"), LoggedIn: b.expr(d.LoggedIn, "bool", "logged_in")}
	if !d.URL.set() || !d.LoggedIn.set() {
		b.fail(d.at, "health needs url: a page that shows who is logged in, and logged_in: a condition on the answer that holds then")
	}
	if t := orText(d.When, d.Hidden); t.set() {
		b.fail(t.at, "when and hidden are for the steps of login")
	}
	if h.Uses.Password || h.Uses.OTP {
		b.fail(d.at, "a health check knows no password and no otp: it tries a session that exists")
	}
	h.Page = b.reads("health", d.at, d.Format, d.Read)
	if h.Username = d.Username.s; d.Username.set() {
		var known []string
		for _, e := range d.Read {
			known = append(known, e.key)
		}
		if !slices.Contains(known, h.Username) {
			b.fail(d.Username.at, "%s", unknown("value", h.Username, "read", known))
		}
	}
	return h
}

// reads compiles the kind of page whose one row has the values to read, and
// returns its name; empty when there is nothing to read.
func (b *builder) reads(name string, place at, format text, read ordered[fieldDef]) string {
	p := &Page{Name: name, Format: HTML, AnyStatus: true, Rows: &Rows{}}
	if f := b.choice(format, "format", formats); f != "" {
		p.Format = Format(f)
	}
	if len(read) == 0 {
		return ""
	}
	if p.Format == XML {
		p.Tree = true
	}
	for i := range read {
		e := &read[i]
		if e.val.Function.set() || e.val.Required {
			b.fail(e.at, "function and required are for the fields of rows, not for what a log-in reads")
			continue
		}
		f := b.field(p, false, e.at, e.key, &e.val)
		p.Rows.Fields = append(p.Rows.Fields, f)
		p.Rows.Key = append(p.Rows.Key, f.Name)
	}
	for i := range b.program.Info.Result {
		if a := &b.program.Info.Result[i]; a.Type == "" {
			a.Type = shoal.AttrString
		}
	}
	b.program.Pages[name] = p
	return name
}

// hiddenFields is the value that holds a form's hidden fields.
func hiddenFields(form text) entry[fieldDef] {
	word := func(s string) text { return text{form.at, s} }
	part := func(name string) entry[fieldDef] {
		return entry[fieldDef]{at: form.at, key: name, val: fieldDef{at: form.at, Attr: word(name), As: word(string(AsRaw))}}
	}
	inputs := fieldDef{at: form.at, Select: word("input[type=hidden], input[type=HIDDEN], input[type=Hidden]"), List: true, Fields: ordered[fieldDef]{part("name"), part("value")}}
	return entry[fieldDef]{at: form.at, key: HiddenField, val: fieldDef{at: form.at, Select: form, Fields: ordered[fieldDef]{{at: form.at, key: "inputs", val: inputs}}}}
}

// decode refuses what is not there yet in words that say so.
func (s *stepDef) decode(d *decoder, n *node, what string) {
	if pairs, ok := n.value.([]pair); ok {
		kept := make([]pair, 0, len(pairs))
		for _, p := range pairs {
			if p.key == "browser" || p.key == "render" {
				d.fail(p.at, "%s: a log-in by a browser is not possible yet; log in by requests (url, form), or give the session's cookies (shoal account sync)", p.key)
				continue
			}
			kept = append(kept, p)
		}
		n = &node{n.at, kept}
	}
	type stepDefPlain stepDef
	d.decode(n, (*stepDefPlain)(s), what)
}
