package api

import (
	"maps"
	"net/http"
	"time"

	"shoal"
)

// updateSquid changes the fields given and answers with those.
func (a *API) updateSquid(c *call) error {
	s, err := c.squid()
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	p, err := c.lookup(string(s.CrawlerID))
	if err != nil {
		return err
	}
	patch, err := c.squidPatch(f, &s, p)
	if err != nil {
		return err
	}
	info := p.Info()
	render := func(s shoal.Squid) []byte { return appendJSON(nil, changedFields(f, info, &s)) }
	updated, err := a.store.UpdateSquid(effectCtx(c, http.StatusOK, render), c.ws, s.ID, patch)
	if err != nil {
		return err
	}
	if patch.IsActive != nil {
		// The switch is stored: a run that this does not reach obeys it later.
		if err := a.runs.SquidSwitched(c.ctx(), &updated); err != nil {
			a.log.Warn("the squid's run could not be told of its switch", "squid", s.ID, "err", err)
		}
	}
	return c.send(http.StatusOK, render(updated))
}

// squidPatch reads what is to change. Null means: as if it were not given,
// but for run_notify, cron_expression and accounts, where it means none.
func (c *call) squidPatch(f *fields, s *shoal.Squid, p Program) (shoal.SquidPatch, error) {
	var patch shoal.SquidPatch
	if f.m["name"] != nil {
		if name := squidName(f); name == "" {
			f.bad("name", "name must not be empty")
		} else {
			patch.Name = &name
		}
	}
	patch.IsActive = flagPtr(f, "is_active")
	patch.ExportUniqueResults = flagPtr(f, "export_unique_results")
	patch.NoLineBreaks = flagPtr(f, "no_line_breaks")
	patch.ToComplete = toComplete(f)
	if f.m["concurrency"] != nil {
		patch.Concurrency = concurrency(f, p.Info().MaxConcurrency)
	}
	runNotifyPatch(f, &patch)
	schedulePatch(f, s, &patch)
	if err := f.error(); err != nil {
		return patch, err
	}
	if err := paramsPatch(f, s, p, &patch); err != nil {
		return patch, err
	}
	return patch, c.accountsPatch(f, &patch)
}

func flagPtr(f *fields, key string) *bool {
	if f.m[key] == nil {
		return nil
	}
	v := f.flag(key, false)
	return &v
}

// toComplete is a boolean; the Python SDK sends the number of tasks, of which
// only whether it is zero matters.
func toComplete(f *fields) *bool {
	if _, ok := f.m["to_complete"].(number); ok {
		v := f.integer("to_complete", 0, 0, 1<<31-1) > 0
		return &v
	}
	return flagPtr(f, "to_complete")
}

func concurrency(f *fields, most int) *int {
	n := f.integer("concurrency", 1, 1, 1<<31-1)
	if n > most && most > 0 {
		f.fail(&shoal.Error{Kind: shoal.KindBusiness, Code: "ConcurrencyLimitExceeded", Param: "concurrency",
			Message: "concurrency is more than this crawler allows: the most is " + itoa(most)})
	}
	return &n
}

func runNotifyPatch(f *fields, patch *shoal.SquidPatch) {
	if !f.has("run_notify") {
		return
	}
	v := f.text("run_notify")
	if v != "" && v != "on_success" && v != "on_error" {
		f.bad("run_notify", "run_notify is %q; it must be null, on_success or on_error", clip(v, 40))
	}
	patch.RunNotify = &v
}

// paramsPatch merges the params given into those set. A function's name is
// accepted flat as well as under "functions".
func paramsPatch(f *fields, s *shoal.Squid, p Program, patch *shoal.SquidPatch) error {
	given := f.object("params")
	if given == nil {
		return f.error()
	}
	isFunction := map[string]bool{}
	for _, fn := range p.Info().Functions {
		isFunction[fn.Name] = true
	}
	params, functions := cloned(s.Params), cloned(s.Functions)
	for name, v := range given.m {
		switch {
		case name == "functions":
			if err := mergeFunctions(given, functions); err != nil {
				return err
			}
		case isFunction[name]:
			functions[name] = plain(v)
		default:
			params[name] = plain(v)
		}
	}
	var err error
	patch.Params, patch.Functions, err = p.CheckParams(params, functions)
	return err
}

// mergeFunctions merges "functions" into functions; null takes all of them
// back to their defaults.
func mergeFunctions(given *fields, functions map[string]any) error {
	nested := given.object("functions")
	if err := given.error(); err != nil {
		return err
	}
	if nested == nil {
		clear(functions)
		return nil
	}
	for name, v := range nested.m {
		functions[name] = plain(v)
	}
	return nil
}

func cloned(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return maps.Clone(m)
}

// accountsPatch reads the accounts to link: ids, or objects that have one.
func (c *call) accountsPatch(f *fields, patch *shoal.SquidPatch) error {
	if !f.has("accounts") {
		return nil
	}
	ids := []shoal.AccountID{}
	for i, v := range f.array("accounts") {
		if m, ok := v.(map[string]any); ok {
			v = m["id"]
		}
		id, ok := v.(string)
		if !ok {
			return shoal.Invalid("InvalidParamType", "accounts", "accounts[%d] is %s; it must be the id of an account", i, typeOf(v))
		}
		if !shoal.ValidID(id) {
			return shoal.ErrAccountNotFound
		}
		ids = append(ids, shoal.AccountID(id))
	}
	if err := f.error(); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := c.a.store.Account(c.ctx(), c.ws, id); err != nil {
			return err
		}
	}
	patch.Accounts = &ids
	return nil
}

// changedFields returns the fields that the request gave, as they are now.
func changedFields(f *fields, info *shoal.Crawler, s *shoal.Squid) map[string]any {
	now := map[string]any{
		"name": s.Name, "is_active": s.IsActive, "concurrency": s.Concurrency, "to_complete": s.ToComplete,
		"export_unique_results": s.ExportUniqueResults, "no_line_breaks": s.NoLineBreaks,
		"run_notify": orNull(s.RunNotify), "cron_expression": orNull(s.CronExpression),
		"timezone": orNull(s.Timezone), "missed_launches": s.MissedLaunches,
		"launch_jitter": int64(s.LaunchJitter / time.Second), "params": paramsInForce(info, s), "accounts": s.Accounts,
	}
	if s.Accounts == nil {
		now["accounts"] = []shoal.AccountID{}
	}
	out := map[string]any{}
	for name := range f.m {
		if v, ok := now[name]; ok {
			out[name] = v
		}
	}
	return out
}
