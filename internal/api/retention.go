package api

import (
	"net/http"

	"shoal"
)

// maxRetention bounds the days of a rule: a hundred years.
const maxRetention = 36_500

// wireRetention are the rules of retention with what they would remove now.
type wireRetention struct {
	Object     string          `json:"object"`
	FileDays   int             `json:"file_days"`
	ResultDays int             `json:"result_days"`
	Rules      []retentionRule `json:"rules"`
	Due        retentionDue    `json:"due"`
}

type retentionRule struct {
	Workspace  shoal.WorkspaceID `json:"workspace"`
	Squid      orNull            `json:"squid"`
	Name       string            `json:"name"`
	ResultDays int               `json:"result_days"`
}

type retentionDue struct {
	Files   int64 `json:"files"`
	Bytes   int64 `json:"bytes"`
	Runs    int64 `json:"runs"`
	Results int64 `json:"results"`
}

// sendRetention answers with the rules in force, and what they would remove now
// if they were changed so.
func (c *call) sendRetention(change shoal.RetentionChange) error {
	r, err := c.a.store.Retention(c.ctx())
	if err != nil {
		return err
	}
	due, err := c.a.store.RetentionDue(c.ctx(), change)
	if err != nil {
		return err
	}
	w := wireRetention{Object: "retention", FileDays: r.FileDays, Rules: []retentionRule{}, Due: retentionDue(due)}
	for _, rule := range r.Results {
		if rule.Workspace == "" {
			w.ResultDays = rule.Days
			continue
		}
		w.Rules = append(w.Rules, retentionRule{rule.Workspace, orNull(rule.Squid), rule.Name, rule.Days})
	}
	return c.json(http.StatusOK, w)
}

func (a *API) getRetention(c *call) error { return c.sendRetention(shoal.RetentionChange{}) }

// setRetention changes rules; with dry_run it only tells what they would remove.
func (a *API) setRetention(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	var change shoal.RetentionChange
	for key, days := range map[string]**int{"file_days": &change.FileDays, "result_days": &change.ResultDays} {
		if f.has(key) {
			n := f.integer(key, 0, 0, maxRetention)
			*days = &n
		}
	}
	change.Squid = shoal.SquidID(f.text("squid"))
	workspace, dry := f.text("workspace"), f.flag("dry_run", false)
	switch {
	case f.err != nil:
	case change.FileDays == nil && change.ResultDays == nil:
		f.fail(shoal.Invalid("ParamsNeeded", "file_days,result_days", "Give file_days, result_days or both: the days to keep them, 0 for ever"))
	case workspace != "" && change.Squid != "":
		f.fail(shoal.Invalid("MultipleParamsNeeded", "workspace,squid", "Give either workspace or squid, not both"))
	case (workspace != "" || change.Squid != "") && change.FileDays != nil:
		f.fail(shoal.Invalid("ParamsInvalid", "file_days", "file_days are the same for everybody: leave workspace and squid out"))
	}
	if err := f.error(); err != nil {
		return err
	}
	if workspace != "" {
		if change.Workspace, err = a.workspaceOf(c, workspace); err != nil {
			return err
		}
	}
	if change.Squid != "" && !shoal.ValidID(string(change.Squid)) {
		return shoal.ErrSquidNotFound
	}
	if dry {
		return c.sendRetention(change)
	}
	if err := a.store.SetRetention(c.ctx(), change); err != nil {
		return err
	}
	a.log.Info("retention changed", "workspace", string(change.Workspace), "squid", string(change.Squid), "by", string(c.key.UserID))
	return c.sendRetention(shoal.RetentionChange{})
}
