package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"shoal"
)

// wireSquid is a squid in full.
type wireSquid struct {
	ID                  shoal.SquidID   `json:"id"`
	Object              string          `json:"object"`
	CreatedAt           stamp           `json:"created_at"`
	Name                string          `json:"name"`
	IsActive            bool            `json:"is_active"`
	IsReady             bool            `json:"is_ready"`
	Crawler             shoal.CrawlerID `json:"crawler"`
	CrawlerName         string          `json:"crawler_name"`
	Icon                string          `json:"icon"`
	IsPublic            bool            `json:"is_public"`
	Concurrency         int             `json:"concurrency"`
	Params              map[string]any  `json:"params"`
	Account             []squidAccount  `json:"account"`
	Accounts            []squidAccount  `json:"accounts"`
	ToComplete          bool            `json:"to_complete"`
	Message             orNull          `json:"message"`
	LastRun             orNull          `json:"last_run"`
	LastRunStatus       orNull          `json:"last_run_status"`
	LastRunAt           stamp           `json:"last_run_at"`
	LastRunDoneReason   orNull          `json:"last_run_done_reason"`
	LastRunIsDone       *bool           `json:"last_run_is_done"`
	TotalRuns           int64           `json:"total_runs"`
	NextLaunchAt        stamp           `json:"next_launch_at"`
	DownloadURL         orNull          `json:"download_url"`
	ExportRuns          bool            `json:"export_runs"`
	ExportUniqueResults bool            `json:"export_unique_results"`
	NoLineBreaks        bool            `json:"no_line_breaks"`
	wireDelivery
	Schedule            *wireSchedule `json:"schedule"`
	ScheduleTime        orNull        `json:"schedule_time"`
	Email               orNull        `json:"email"`
	Notifications       bool          `json:"notifications"`
	NotificationsParams runNotify     `json:"notifications_params"`
}

// squidAccount is a linked account and its state, as the account itself shows it.
type squidAccount struct {
	ID     shoal.AccountID `json:"id"`
	Object string          `json:"object"`
	Status orNull          `json:"status"`
}

type runNotify struct {
	RunNotify orNull `json:"run_notify"`
}

// appendSquid appends a squid with its crawler's defaults filled in and its
// secrets masked.
func (c *call) appendSquid(b []byte, s *shoal.Squid) []byte {
	w := wireSquid{
		ID: s.ID, Object: "squid", CreatedAt: stamp(s.CreatedAt), Name: s.Name,
		IsActive: s.IsActive, IsReady: s.IsReady(), Crawler: s.CrawlerID, CrawlerName: s.CrawlerSlug,
		Concurrency: s.Concurrency, Params: map[string]any{}, Account: c.accountRefs(s.Accounts),
		ToComplete: s.ToComplete, Message: orNull(s.Message), TotalRuns: s.TotalRuns,
		ExportRuns: true, ExportUniqueResults: s.ExportUniqueResults, NoLineBreaks: s.NoLineBreaks,
		wireDelivery: c.a.showDelivery(&s.Delivery), Email: orNull(s.Delivery.Email),
		Notifications:       s.Delivery.Notify,
		NotificationsParams: runNotify{orNull(s.RunNotify)},
	}
	w.Accounts = w.Account
	if p, err := c.lookup(string(s.CrawlerID)); err == nil {
		info := p.Info()
		w.CrawlerName, w.Icon, w.IsPublic = info.Name, info.Icon, info.IsPublic
		w.Params = paramsInForce(info, s)
	} else {
		w.Params = paramsInForce(&shoal.Crawler{}, s)
	}
	w.Schedule, w.ScheduleTime = showSchedule(s), orNull(scheduleInWords(s.CronExpression))
	w.NextLaunchAt = stamp(s.NextLaunchAt)
	if r := s.LastRun; r != nil {
		done := r.Status.Terminal()
		w.LastRun, w.LastRunStatus = orNull(r.ID), orNull(strings.ToUpper(string(r.Status)))
		w.LastRunAt, w.LastRunDoneReason, w.LastRunIsDone = stamp(r.CreatedAt), orNull(r.DoneReason), &done
		if r.ExportDone {
			w.DownloadURL = orNull(c.downloadURL(r, plainCSV))
		}
	}
	return appendJSON(b, w)
}

func (c *call) accountRefs(ids []shoal.AccountID) []squidAccount {
	out := []squidAccount{}
	for _, id := range ids {
		ref := squidAccount{ID: id, Object: "account"}
		if v, err := c.a.store.Account(c.ctx(), c.ws, id); err == nil {
			ref.Status = orNull(v.StatusInfo)
		}
		out = append(out, ref)
	}
	return out
}

// paramsInForce returns the squid's params with defaults filled in, and its
// functions under "functions".
func paramsInForce(info *shoal.Crawler, s *shoal.Squid) map[string]any {
	out, functions := map[string]any{}, map[string]any{}
	for _, in := range info.Input {
		if in.Level == shoal.LevelSquid && !in.Function {
			out[in.Name] = in.Default
		}
	}
	for _, f := range info.Functions {
		functions[f.Name] = f.Default
	}
	for k, v := range s.Params {
		out[k] = v
	}
	for k, v := range s.Functions {
		functions[k] = v
	}
	out["functions"] = functions
	return out
}

func (c *call) sendSquid(s *shoal.Squid) error {
	c.buf = c.appendSquid(c.buf[:0], s)
	return c.send(http.StatusOK, c.buf)
}

func (a *API) createSquid(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("crawler")
	slug, name := f.text("crawler"), squidName(f)
	if err := f.error(); err != nil {
		return err
	}
	p, err := c.lookup(slug)
	if err != nil {
		return err
	}
	info := p.Info()
	if !info.IsAvailable && !info.Maintenance {
		return shoal.Business("ModuleUnavailable", "The crawler %s is not available at the moment", info.Name)
	}
	ctx := effectCtx(c, http.StatusOK, func(s shoal.Squid) []byte { return c.appendSquid(nil, &s) })
	s, err := a.store.CreateSquid(ctx, shoal.Squid{
		ID: shoal.NewID[shoal.SquidID](), WorkspaceID: c.ws, CrawlerID: info.ID, CrawlerSlug: info.Slug,
		Name: name, IsActive: true, Concurrency: 1, Params: map[string]any{}, Functions: map[string]any{},
		CreatedAt: a.now(), UpdatedAt: a.now(),
	}, info.Name)
	if err != nil {
		return err
	}
	return c.sendSquid(&s)
}

// maxName is the most characters that a name may have.
const maxName = 200

// squidName returns the name given, "" if none.
func squidName(f *fields) string { return f.label("name") }

// label returns a name for people, "" if none is given.
func (f *fields) label(key string) string {
	name := strings.TrimSpace(f.text(key))
	if n := len([]rune(name)); n > maxName {
		f.bad(key, "%s is %d characters long; the most is %d", f.name(key), n, maxName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		f.bad(key, "%s holds a control character", f.name(key))
	}
	return name
}

func (a *API) listSquids(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := a.store.Squids(c.ctx(), c.ws, q.Get("name"), w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, c.appendSquid)
}

// squid loads the squid of the path.
func (c *call) squid() (shoal.Squid, error) {
	id, err := id32[shoal.SquidID](c, shoal.ErrSquidNotFound)
	if err != nil {
		return shoal.Squid{}, err
	}
	return c.a.store.Squid(c.ctx(), c.ws, id)
}

func (a *API) getSquid(c *call) error {
	s, err := c.squid()
	if err != nil {
		return err
	}
	return c.sendSquid(&s)
}

// wireEmptied is the answer to emptying a squid.
type wireEmptied struct {
	ID      shoal.SquidID `json:"id"`
	Object  string        `json:"object"`
	Emptied bool          `json:"emptied"`
	Count   int64         `json:"deleted_count"`
}

func (a *API) emptySquid(c *call) error {
	id, err := id32[shoal.SquidID](c, shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	typ := f.text("type")
	if err := f.error(); err != nil {
		return err
	}
	if typ, err = taskType(typ); err != nil {
		return err
	}
	render := func(n int64) []byte { return appendJSON(nil, wireEmptied{id, "squid", true, n}) }
	n, err := a.store.EmptySquid(effectCtx(c, http.StatusOK, render), c.ws, id, typ)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, render(n))
}

// deleteSquid stops the squid's run first, so that nothing collects for a
// squid that is gone.
func (a *API) deleteSquid(c *call) error {
	s, err := c.squid()
	if err != nil {
		return err
	}
	if s.LastRun != nil && !s.LastRun.Status.Terminal() {
		if err := a.stopRun(c.ctx(), s.LastRun); err != nil {
			return err
		}
	}
	if err := a.store.DeleteSquid(c.ctx(), c.ws, s.ID); err != nil {
		return err
	}
	return c.json(http.StatusOK, deleted{string(s.ID), "squid", true})
}

// stopRun aborts a run; one that is ending or has ended is stopped already.
func (a *API) stopRun(ctx context.Context, r *shoal.Run) error {
	_, err := a.runs.Abort(ctx, r.WorkspaceID, r.ID, "user")
	switch k := shoal.KindOf(err); {
	case err == nil, errors.Is(err, shoal.ErrRunNotFound):
		return nil
	case k == shoal.KindConflict, k == shoal.KindBusiness:
		return nil
	}
	return err
}
