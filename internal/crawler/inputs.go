package crawler

import (
	"slices"

	"shoal"
)

// input is one declared input with its compiled pattern.
type input struct {
	shoal.Input
	re   *Regexp
	form string // what a text must be besides: "regex" or "url" (http or https); empty: anything
}

// inputs are the inputs of one level, in the order of the definition.
type inputs []input

func (in inputs) find(name string) *input {
	for i := range in {
		if in[i].Name == name {
			return &in[i]
		}
	}
	return nil
}

func (in inputs) names() []string {
	out := make([]string, len(in))
	for i := range in {
		out[i] = in[i].Name
	}
	return out
}

// addon is a function of the crawler.
type addon struct {
	shoal.Function
}

// The params that every crawler has.
const (
	ParamMaxResults       = "max_results"
	ParamMaxUniqueResults = "max_unique_results_per_run"
	ParamMaxRunRequests   = "max_requests_per_run"
	ParamMaxRunMegabytes  = "max_megabytes_per_run"
	ParamMaxRunMinutes    = "max_minutes_per_run"
	ParamFetchSince       = "fetch_since"
	ParamFetchSinceZone   = "fetch_since_timezone"
	// ParamMaxPages is declared by crawlers that follow links; it caps a task's requests.
	ParamMaxPages = "max_pages"
)

var one, million = 1.0, 1e6

var common = []shoal.Input{
	{Name: ParamMaxResults, Type: shoal.TypeInt, Min: &one, Display: "Results per task",
		Description: "Stop a task after this many results."},
	{Name: ParamMaxUniqueResults, Type: shoal.TypeInt, Min: &one, Display: "Unique results per run",
		Description: "Stop the run after this many unique results."},
	{Name: ParamMaxRunRequests, Type: shoal.TypeInt, Min: &one, Display: "Requests per run",
		Description: "End the run after about this many requests; those under way are finished."},
	{Name: ParamMaxRunMegabytes, Type: shoal.TypeInt, Min: &one, Max: &million, Display: "Megabytes per run",
		Description: "End the run once this much was transferred."},
	{Name: ParamMaxRunMinutes, Type: shoal.TypeInt, Min: &one, Max: &million, Display: "Minutes per run",
		Description: "End the run after this long; the time that it is paused does not count."},
	{Name: ParamFetchSince, Type: shoal.TypeString, Example: "7d", Display: "Newer than",
		Description: "Leave out what is older: 24h, 7d, 2w or YYYY-MM-DD HH:MM[:SS]."},
	{Name: ParamFetchSinceZone, Type: shoal.TypeString, Example: "Europe/Paris", Display: "Time zone of “newer than”",
		Description: "IANA name of the zone that a date in fetch_since is in; UTC if unset."},
}

func (b *builder) inputs() {
	for i := range b.def.Input {
		b.oneInput(&b.def.Input[i])
	}
	for _, c := range common {
		if b.program.squid.find(c.Name) != nil {
			continue
		}
		c.Level, c.IsParams = shoal.LevelSquid, true
		b.program.squid = append(b.program.squid, input{Input: c})
		b.program.Info.Input = append(b.program.Info.Input, c)
	}
	b.names = names{task: b.program.task.names(), params: b.program.squid.names()}
	for _, a := range b.program.addons {
		b.names.functions = append(b.names.functions, a.Name)
		b.program.Info.Functions = append(b.program.Info.Functions, a.Function)
	}
	for i := range b.def.Pages {
		if rows := b.def.Pages[i].val.Rows; rows != nil {
			b.names.row = appendNames(b.names.row, rows.Fields)
		}
	}
	slices.Sort(b.names.row)
	b.names.row = slices.Compact(b.names.row)
	if len(b.program.addons) > maxAddons {
		b.fail(b.def.at, "%d functions; the most is %d", len(b.program.addons), maxAddons)
	}
}

// appendNames appends the names of fields and of those within them.
func appendNames(names []string, fields ordered[fieldDef]) []string {
	for i := range fields {
		names = appendNames(append(names, fields[i].key), fields[i].val.Fields)
	}
	return names
}

func (b *builder) oneInput(d *inputDef) {
	name := d.Name.s
	if !fieldName.MatchString(name) {
		b.fail(orAt(d.Name.at, d.at), "input name %q: use lower-case letters, digits and underscores, beginning with a letter", clip(name, 40))
		return
	}
	level := b.choice(d.Level, "level", []string{"task", "squid"})
	if level != "squid" {
		level = "task"
	}
	typ := b.choice(d.Type, "type", []string{"string", "int", "float", "boolean", "array"})
	if typ == "" {
		typ = "string"
	}
	in := input{Input: shoal.Input{
		Name: name, Level: shoal.InputLevel(level), Type: shoal.ParamType(typ), Required: d.Required, Default: d.Default.v,
		Example: d.Example.v, Description: d.Description, Display: d.Display, Group: d.Group, Regex: d.Regex.s, Min: d.Min, Max: d.Max,
		Function: d.Function, IsParams: level == "squid" && !d.Function, IsDetails: d.IsDetails, Priority: d.Priority,
	}, re: b.regexp(d.Regex, "regex"), form: b.choice(d.Form, "form", []string{"regex", "url"})}
	if d.Allowed.set() {
		list, ok := d.Allowed.v.([]any)
		if !ok || len(list) == 0 {
			b.fail(d.Allowed.at, "allowed must be a list of the values that may be given")
		}
		in.Allowed = list
	}
	b.taken(d, &in)
	if d.Function {
		b.addon(d, &in)
	} else if level == "task" {
		b.program.task = append(b.program.task, in)
	} else {
		b.program.squid = append(b.program.squid, in)
	}
	b.checkDefault(d, &in)
	b.program.Info.Input = append(b.program.Info.Input, in.Input)
}

// taken refuses a name that is given twice on one level. Params and functions share theirs.
func (b *builder) taken(d *inputDef, in *input) {
	dup := in.Level == shoal.LevelTask && b.program.task.find(in.Name) != nil
	if in.Level == shoal.LevelSquid {
		dup = b.program.squid.find(in.Name) != nil ||
			slices.ContainsFunc(b.program.addons, func(a addon) bool { return a.Name == in.Name })
	}
	if dup || in.Name == "functions" {
		b.fail(orAt(d.Name.at, d.at), "the %s is already there; choose another name", b.input(in.Name))
	}
}

func (b *builder) addon(d *inputDef, in *input) {
	if d.Level.s != "squid" || (d.Type.set() && d.Type.s != "boolean") {
		b.fail(d.at, "function %q needs level: squid and type: boolean; it is switched on for a whole squid", in.Name)
	}
	in.Type = shoal.TypeBoolean
	a := addon{shoal.Function{Name: in.Name, Display: d.Display, Sort: len(b.program.addons)}}
	if a.Display == "" {
		a.Display = in.Name
	}
	a.Default, _ = d.Default.v.(bool)
	in.Default = a.Default
	if d.CreditsPerFunction != nil {
		a.Credits = b.credits(d.at, "credits_per_function", *d.CreditsPerFunction)
	}
	in.CreditsPerFunction = a.Credits
	b.program.addons = append(b.program.addons, a)
}

// checkDefault makes sure that leaving an input out is as valid as giving it.
func (b *builder) checkDefault(d *inputDef, in *input) {
	for _, s := range []struct {
		what string
		v    scalar
		to   *any
	}{{"default", d.Default, &in.Default}, {"example", d.Example, &in.Example}} {
		if !s.v.set() || s.v.v == nil {
			continue
		}
		v, err := in.check(s.v.v)
		if err != nil {
			b.fail(s.v.at, "%s of %s: %s", s.what, b.input(in.Name), err.Message)
			continue
		}
		*s.to = v
	}
	if d.CreditsPerFunction != nil && !d.Function {
		b.fail(d.at, "credits_per_function is for functions; add function: true")
	}
}

func orAt(p, q at) at {
	if p.line != 0 {
		return p
	}
	return q
}
