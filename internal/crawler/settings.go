package crawler

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoal"
)

// Settings returns what a run of s copies, defaults filled in; a relative
// fetch_since becomes the time it means now, in RFC 3339. The error is a
// Business error SquidNotReady when a required param is unset.
func (p *Program) Settings(s *shoal.Squid) (shoal.RunSettings, error) {
	return p.settings(s, time.Now())
}

func (p *Program) settings(s *shoal.Squid, now time.Time) (shoal.RunSettings, error) {
	set, functions, err := p.CheckParams(s.Params, s.Functions)
	if err != nil {
		return shoal.RunSettings{}, err
	}
	params := make(map[string]any, len(p.squid))
	for i := range p.squid {
		in := &p.squid[i]
		if in.Default != nil {
			params[in.Name] = in.Default
		}
	}
	maps.Copy(params, set)
	for i := range p.squid {
		if in := &p.squid[i]; in.Required && blank(params[in.Name]) {
			return shoal.RunSettings{}, &shoal.Error{Kind: shoal.KindBusiness, Code: "SquidNotReady", Param: in.Name,
				Message: fmt.Sprintf("the squid is not ready: set its param %q%s", in.Name, in.hint())}
		}
	}
	if err := fixSince(params, now); err != nil {
		return shoal.RunSettings{}, err
	}
	r := shoal.RunSettings{
		CrawlerSlug: p.Info.Slug, Params: params, Concurrency: min(max(1, s.Concurrency), p.Info.MaxConcurrency),
		MaxResults: intParam(params, ParamMaxResults), MaxUniqueResults: intParam(params, ParamMaxUniqueResults),
		MaxRequests: intParam(params, ParamMaxPages), MaxRunRequests: intParam(params, ParamMaxRunRequests),
		MaxBytes:    intParam(params, ParamMaxRunMegabytes) << 20,
		MaxDuration: time.Duration(intParam(params, ParamMaxRunMinutes)) * time.Minute, ErrorBudget: p.ErrorBudget, CreditsPerRow: p.Info.CreditsPerRow,
		ExportUniqueResults: s.ExportUniqueResults, NoLineBreaks: s.NoLineBreaks,
	}
	p.accountSettings(&r)
	for _, a := range p.addons {
		r.FunctionOrder = append(r.FunctionOrder, a.Name)
		on := a.Default
		if v, ok := functions[a.Name].(bool); ok {
			on = v
		}
		if !on {
			continue
		}
		r.Functions = append(r.Functions, a.Name)
		if r.CreditsPerFunction == nil {
			r.CreditsPerFunction = map[string]shoal.Credits{}
		}
		r.CreditsPerFunction[a.Name] = a.Credits
	}
	return r, nil
}

// accountSettings copies what a run has to know of the crawler's accounts.
func (p *Program) accountSettings(r *shoal.RunSettings) {
	if p.Account == nil {
		return
	}
	t := p.Account.Type
	t.Icon = "" // may be long, and a run shows none
	r.Account, r.AccountRequired = &t, p.Info.AccountRequired
	for _, page := range p.Pages {
		r.AccountCounts = append(r.AccountCounts, page.Counts...)
	}
	slices.Sort(r.AccountCounts)
	r.AccountCounts = slices.Compact(r.AccountCounts)
}

func intParam(params map[string]any, name string) int64 {
	n, _ := toInt(params[name])
	i, _ := n.(int64)
	return i
}

func blank(v any) bool {
	items, isList := v.([]any)
	return v == nil || v == "" || isList && len(items) == 0
}

func fixSince(params map[string]any, now time.Time) error {
	text, ok := params[ParamFetchSince].(string)
	if !ok || text == "" {
		return nil
	}
	zone := time.UTC
	if name, ok := params[ParamFetchSinceZone].(string); ok {
		z, err := time.LoadLocation(name)
		if err != nil {
			return shoal.Invalid("ParamsInvalid", ParamFetchSinceZone, "%q is no time zone; write an IANA name such as Europe/Paris", clip(name, 40))
		}
		zone = z
	}
	t, err := sinceTime(text, zone, now)
	if err != nil {
		return shoal.Invalid("ParamsInvalid", ParamFetchSince, "%s", err)
	}
	params[ParamFetchSince] = t.UTC().Format(time.RFC3339)
	return nil
}

// sinceTime reads a fetch_since: an age or a time in zone.
func sinceTime(s string, zone *time.Location, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	units := map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if s != "" {
		if unit, ok := units[s[len(s)-1]]; ok {
			n, err := strconv.Atoi(s[:len(s)-1])
			if err == nil && n > 0 && n < 100_000 {
				return now.Add(-time.Duration(n) * unit), nil
			}
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is no age or date", clip(s, 40))
}

// CheckTask checks one task's params. It returns them as canonical JSON (keys
// sorted, defaults not filled in) with the digest that is the task's identity
// within its squid. The error is a *shoal.Error that names the key.
func (p *Program) CheckTask(params map[string]any) (canonical []byte, digest [16]byte, err error) {
	out := make(map[string]any, len(params))
	for _, name := range sortedKeys(params) {
		in := p.task.find(name)
		if in == nil {
			return nil, digest, shoal.Invalid("ParamsInvalid", name, "%s", unknown("task key", name, p.Info.Name, p.task.names()))
		}
		v := params[name]
		if s, ok := v.(string); ok {
			v = strings.TrimSpace(s)
		}
		if blank(v) && (!in.Required || v == nil) {
			continue // an empty cell of a CSV file is no value
		}
		checked, e := in.check(v)
		if e != nil {
			return nil, digest, e
		}
		out[name] = checked
	}
	for i := range p.task {
		if in := &p.task[i]; in.Required && blank(out[in.Name]) {
			return nil, digest, shoal.Invalid("ParamsNeeded", in.Name, "the task needs %q%s", in.Name, in.hint())
		}
	}
	if len(out) == 0 && len(p.task) > 0 && p.allOptional() {
		return nil, digest, shoal.Invalid("ParamsNeeded", p.task[0].Name, "the task is empty; give at least one of %s", strings.Join(p.task.names(), ", "))
	}
	canonical, err = canonicalJSON(out)
	if err != nil {
		return nil, digest, fmt.Errorf("encode task: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return canonical, [16]byte(sum[:16]), nil
}

func (p *Program) allOptional() bool {
	return !slices.ContainsFunc(p.task, func(in input) bool { return in.Required || in.Default != nil })
}

// TaskParams returns a task's params as its pages see them: defaults filled in.
func (p *Program) TaskParams(params map[string]any) map[string]any {
	out := make(map[string]any, len(p.task))
	for i := range p.task {
		out[p.task[i].Name] = p.task[i].Default
	}
	maps.Copy(out, params)
	return out
}

// canonicalJSON encodes with sorted keys, no insignificant space and no HTML escapes.
func canonicalJSON(m map[string]any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
