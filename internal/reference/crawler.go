package reference

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"shoal"
	"shoal/internal/crawler"
)

// Crawler returns the page of a crawler.
func Crawler(program *crawler.Program) string {
	c := &program.Info
	p := &page{}
	p.line("# %s\n", c.Name)
	p.line("%s\n", sentence(c.Description))
	p.line("- Slug: %s, version %d", code(c.Slug), c.Version)
	if c.Domain != "" {
		p.line("- Made for: %s", c.Domain)
	}
	p.line("- Price: %s a row%s", credits(c.CreditsPerRow), addOnPrices(c))
	p.line("- Concurrency: up to %d", c.MaxConcurrency)
	if !program.Policy.Robots {
		p.line("- robots.txt is left aside: %s", sentence(program.Policy.RobotsWhy))
	}
	p.line("")
	p.usage(c)
	p.inputs("Input of a task", c, shoal.LevelTask)
	p.functions(c)
	p.inputs("Params of a squid", c, shoal.LevelSquid)
	p.fields(c)
	return strings.TrimRight(p.String(), "\n") + "\n"
}

func addOnPrices(c *shoal.Crawler) string {
	if len(c.Functions) == 0 {
		return ""
	}
	var parts []string
	for _, f := range c.Functions {
		parts = append(parts, fmt.Sprintf("%s for %s", credits(f.Credits), code(f.Name)))
	}
	return ", and for each row that an add-on fills: " + strings.Join(parts, ", ")
}

// usage shows a command and the calls of the API that do the same.
func (p *page) usage(c *shoal.Crawler) {
	task := exampleTask(c)
	input := shellQuoted(encode(task))
	if len(task) == 1 {
		for name, v := range task {
			if s, ok := v.(string); ok {
				if input = shellQuoted(s); name != mainInput(c) {
					input = shellQuoted(name + "=" + s)
				}
			}
		}
	}
	p.line("## Use\n")
	p.line("```sh\nshoal go %s %s -o rows.csv\n```\n", c.Slug, input)
	p.line("Over the API of a server, with an API key in `SHOAL_TOKEN`:\n")
	post := func(path, body string) string {
		return fmt.Sprintf("curl -H \"Authorization: Token $SHOAL_TOKEN\" http://127.0.0.1:8080/v1/%s -d %s", path, shellQuoted(body))
	}
	p.line("```sh")
	p.line("%s   # answers with the SQUID's id", post("squids", encode(map[string]any{"crawler": c.Slug})))
	p.line("%s", post("tasks", `{"squid":"SQUID","tasks":[`+encode(task)+`]}`))
	p.line("%s   # answers with the RUN's id", post("runs", `{"squid":"SQUID"}`))
	p.line("curl -H \"Authorization: Token $SHOAL_TOKEN\" 'http://127.0.0.1:8080/v1/results?run=RUN'")
	p.line("```\n")
}

// exampleTask is a task made of the examples of the required inputs, or of the
// first one that has an example.
func exampleTask(c *shoal.Crawler) map[string]any {
	task := map[string]any{}
	for _, in := range c.Input {
		if in.Level == shoal.LevelTask && in.Required {
			task[in.Name] = in.Example
			if in.Example == nil {
				task[in.Name] = "…"
			}
		}
	}
	for _, in := range c.Input {
		if len(task) == 0 && in.Level == shoal.LevelTask && in.Example != nil {
			task[in.Name] = in.Example
		}
	}
	return task
}

// mainInput is the input that a bare word of the command line fills.
func mainInput(c *shoal.Crawler) string {
	name := "url"
	for _, in := range c.Input {
		if in.Level != shoal.LevelTask {
			continue
		}
		if in.Required {
			return in.Name
		}
		name = in.Name
	}
	return name
}

func encode(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

func shellQuoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,=") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (p *page) inputs(title string, c *shoal.Crawler, level shoal.InputLevel) {
	var rows [][]string
	for _, in := range c.Input {
		if in.Level == level && !in.Function {
			rows = append(rows, []string{code(in.Name), string(in.Type), standard(&in), value(in.Example), meaning(&in)})
		}
	}
	if len(rows) > 0 {
		p.line("## %s\n", title)
	}
	p.table([]string{"name", "type", "default", "example", "what it is"}, rows)
}

func standard(in *shoal.Input) string {
	if in.Required {
		return "required"
	}
	return value(in.Default)
}

// meaning describes an input with its bounds.
func meaning(in *shoal.Input) string {
	parts := []string{sentence(in.Description)}
	if in.Description == "" {
		parts[0] = sentence(in.Display)
	}
	if len(in.Allowed) > 0 {
		var allowed []string
		for _, v := range in.Allowed {
			allowed = append(allowed, value(v))
		}
		parts = append(parts, "One of "+strings.Join(allowed, ", ")+".")
	}
	if in.Min != nil {
		parts = append(parts, "At least "+plain(*in.Min)+".")
	}
	if in.Max != nil {
		parts = append(parts, "At most "+plain(*in.Max)+".")
	}
	if in.Regex != "" {
		parts = append(parts, "Must match "+code(in.Regex)+".")
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// plain writes a number without exponent.
func plain(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func (p *page) functions(c *shoal.Crawler) {
	var rows [][]string
	for _, f := range c.Functions {
		fills := []string{}
		for _, a := range c.Result {
			if a.Function == f.Name {
				fills = append(fills, code(a.Name))
			}
		}
		on := "off"
		if f.Default {
			on = "on"
		}
		what := f.Display
		for _, in := range c.Input {
			if in.Name == f.Name && in.Description != "" {
				what = in.Description
			}
		}
		rows = append(rows, []string{code(f.Name), fmt.Sprintf("%g", f.Credits.Float()), on, strings.Join(fills, ", "), sentence(what)})
	}
	if len(rows) > 0 {
		p.line("## Add-ons\n")
		p.line("Switched by `-p NAME=true` on the command line, by `functions` in a squid's params.\n")
	}
	p.table([]string{"name", "credits a row", "default", "fills", "what it is"}, rows)
}

func (p *page) fields(c *shoal.Crawler) {
	var rows [][]string
	for _, a := range c.Result {
		with := ""
		if a.Function != "" {
			with = code(a.Function)
		}
		rows = append(rows, []string{code(a.Name), string(a.Type), value(a.Example), with, sentence(a.Description)})
	}
	p.line("## Fields of a row\n")
	p.table([]string{"name", "type", "example", "with", "what it says"}, rows)
}
