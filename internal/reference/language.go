package reference

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"shoal/internal/crawler"
)

const languageIntro = `# The definition language

A crawler is a YAML file (JSON is accepted) that says which requests to make, what to read of the answers and where to go on.
Try one with ` + "`shoal crawler try FILE URL`" + `, record a test with ` + "`shoal crawler record`" + `, and run its tests, offline, with
` + "`shoal crawler test FILE`" + `. What is wrong with a definition is said with line and column, and what would be right.
` + "`shoal crawler schema`" + ` prints a JSON Schema, by which editors complete and check keys.

This page is made from the program itself: its types, their comments and the examples, each of which is tested.
`

// variables says what the names are that expressions and templates can read.
var variables = []crawler.Word{
	{Name: "task", Doc: "the task's params by name: `task.url`"},
	{Name: "params", Doc: "the squid's params by name: `params.country`"},
	{Name: "functions", Doc: "the add-ons by name, true or false: `functions.details`"},
	{Name: "row", Doc: "the row's fields so far by name: `row.price`"},
	{Name: "url", Doc: "the page's address, after redirects"},
	{Name: "request_url", Doc: "the address before redirects"},
	{Name: "status", Doc: "the HTTP status, a number"},
	{Name: "media_type", Doc: "the page's media type, such as `text/html`"},
	{Name: "header", Doc: "the response's headers by name in lower case: `header[\"x-total\"]`"},
	{Name: "body", Doc: "the answer as text"},
	{Name: "bytes", Doc: "the size of the answer, unpacked"},
	{Name: "depth", Doc: "links from the task's start"},
	{Name: "in_scope", Doc: "whether the page is within the scope of its follow rules"},
	{Name: "rows", Doc: "how many rows the page has, in conditions of `stop`, `paginate` and `follow`"},
	{Name: "links", Doc: "how many links the page has that its rules take"},
	{Name: "link", Doc: "in a follow rule's `url`: what its source found"},
	{Name: "page_number", Doc: "in `paginate`: the number of the page, or of the next one in its `url`"},
	{Name: "offset", Doc: "in `paginate`: how many rows come before the next page"},
	{Name: "cursor", Doc: "in `paginate`: the text that names the next page"},
	{Name: "username", Doc: "in `account`: the user name that somebody logs in with"},
	{Name: "password", Doc: "in `account.login`: the password"},
	{Name: "otp", Doc: "in `account.login`: the one-time code, empty when none was given"},
	{Name: "read", Doc: "in `account`: the values read of the answers so far: `read.token`"},
}

// Example is an example of the language: a definition that is tested.
type Example struct {
	Name   string // of its file
	Title  string // its first comment
	Source string
	used   map[string]bool
}

// Examples reads the examples of fsys, *.yaml in its directory language.
func Examples(fsys fs.FS) ([]Example, error) {
	names, err := fs.Glob(fsys, "language/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the examples: %w", err)
	}
	slices.Sort(names)
	var out []Example
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read an example: %w", err)
		}
		title, _, _ := strings.Cut(string(src), "\n")
		out = append(out, Example{Name: path.Base(name), Title: strings.TrimSpace(strings.TrimPrefix(title, "#")),
			Source: string(src), used: crawler.UsedKeys(src)})
	}
	return out, nil
}

// Unused returns the keys of the language that no example has, as "construct.key".
func Unused(examples []Example) []string {
	var out []string
	for _, c := range crawler.Constructs() {
		for _, k := range c.Keys {
			id := c.Name + "." + k.Name
			if !slices.ContainsFunc(examples, func(e Example) bool { return e.used[id] }) {
				out = append(out, id)
			}
		}
	}
	return out
}

// Language returns the reference of the definition language.
func Language(examples []Example) string {
	p := &page{}
	p.line("%s", languageIntro)
	p.line("## Examples\n")
	for i, e := range examples {
		p.line("%d. [%s](language/%s)", i+1, sentence(e.Title), e.Name)
	}
	p.line("")
	places := placesOf(crawler.Constructs())
	for _, c := range crawler.Constructs() {
		p.construct(c, places, examples)
	}
	p.words()
	p.line("## The examples in full\n")
	for _, e := range examples {
		p.line("### %s\n", e.Name)
		p.line("```yaml\n%s```\n", e.Source)
	}
	return strings.TrimRight(p.String(), "\n") + "\n"
}

// placesOf finds where in a definition each construct stands, by its name.
func placesOf(all []crawler.Construct) map[string][]string {
	byName := map[string]crawler.Construct{}
	for _, c := range all {
		byName[c.Name] = c
	}
	places := map[string][]string{}
	type step struct{ name, at string }
	queue := []step{{all[0].Name, ""}}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if slices.Contains(places[s.name], s.at) || len(places[s.name]) == 3 {
			continue
		}
		places[s.name] = append(places[s.name], s.at)
		for _, k := range byName[s.name].Keys {
			if k.Of == "" || k.Of == s.name {
				continue
			}
			at := strings.TrimPrefix(s.at+"."+k.Name, ".")
			if strings.HasPrefix(k.Type, "names") {
				at += ".NAME"
			}
			queue = append(queue, step{k.Of, at})
		}
	}
	return places
}

// construct writes the section of one mapping of the language.
func (p *page) construct(c crawler.Construct, places map[string][]string, examples []Example) {
	at := places[c.Name]
	if len(at) == 0 {
		return
	}
	p.line("## %s\n", titleOf(c.Name, places))
	p.line("%s", sentence(upper(c.Doc)))
	if len(at) > 1 {
		p.line("It stands in %s.", joined(at))
	}
	p.line("")
	var rows [][]string
	for _, k := range c.Keys {
		doc := k.Doc
		if k.Of != "" {
			doc += fmt.Sprintf(" See [%s](#%s).", titleOf(k.Of, places), anchor(titleOf(k.Of, places)))
		}
		rows = append(rows, []string{code(k.Name), k.Type, doc})
	}
	p.table([]string{"key", "value", "what it says"}, rows)
	if links := usedIn(c, examples); links != "" {
		p.line("In the examples: %s.\n", links)
	}
}

// usedIn links the examples that have the most of a construct's keys, enough of
// them to show each.
func usedIn(c crawler.Construct, examples []Example) string {
	missing := map[string]bool{}
	for _, k := range c.Keys {
		missing[c.Name+"."+k.Name] = true
	}
	shows := func(e Example) (n int) {
		for id := range missing {
			if e.used[id] {
				n++
			}
		}
		return n
	}
	var links []string
	for len(examples) > 0 && len(missing) > 0 {
		best := slices.MaxFunc(examples, func(a, b Example) int { return cmp.Compare(shows(a), shows(b)) })
		if shows(best) == 0 {
			break
		}
		for id := range missing {
			if best.used[id] {
				delete(missing, id)
			}
		}
		links = append(links, fmt.Sprintf("[%s](language/%s)", best.Name, best.Name))
	}
	return strings.Join(links, ", ")
}

// titleOf names a construct by where it stands.
func titleOf(name string, places map[string][]string) string {
	at := places[name]
	if len(at) == 0 || at[0] == "" {
		return "The definition"
	}
	return at[0]
}

func joined(at []string) string {
	quoted := make([]string, len(at))
	for i, s := range at {
		quoted[i] = code(s)
	}
	return strings.Join(quoted, ", ")
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// anchor is how Markdown names a heading in a link.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		}
		return -1
	}, strings.ToLower(title))
}

// words writes the values of keys that have a list of them, and expressions.
func (p *page) words() {
	for _, key := range []struct{ name, title string }{{"as", "Types of values: as"}, {"format", "Formats of pages: format"}, {"scope", "Scopes of links: scope"}, {"keep", "Lists of addresses: keep"}} {
		p.line("## %s\n", key.title)
		p.list(crawler.Values(key.name), "value")
	}
	p.line("## Expressions and templates\n")
	p.line("Conditions (`when`, `where`, `until`) and `value` are expressions of [expr-lang.org](https://expr-lang.org/docs/language-definition): comparisons,")
	p.line("`and`, `or`, `not`, `contains`, `matches`, `in`, `?:`, arithmetic and its built-in functions. They do no I/O, and their cost is bounded. Templates are")
	p.line("texts with expressions in `{{ }}`; in an address their values are escaped.\n")
	p.list(variables, "name")
	p.line("Functions besides those of the library:\n")
	p.list(crawler.Functions(), "function")
}

func (p *page) list(words []crawler.Word, head string) {
	var rows [][]string
	for _, w := range words {
		rows = append(rows, []string{code(w.Name), w.Doc})
	}
	p.table([]string{head, "what it is"}, rows)
}
