package api

import (
	"net/http"
	"strconv"
	"strings"

	"shoal"
)

// wirePlanTerms is a plan as members of staff see it. Null is unlimited.
type wirePlanTerms struct {
	ID           shoal.PlanID `json:"id"`
	Object       string       `json:"object"`
	Name         string       `json:"name"`
	Credits      *credits     `json:"credits"`
	Interval     string       `json:"interval"`
	RolloverMax  *credits     `json:"rollover_max"`
	RolloverDays int          `json:"rollover_days"`
	Slots        *int         `json:"slots"`
	ForceLaunch  bool         `json:"force_launch"`
	Premium      bool         `json:"premium"`
	CreatedAt    stamp        `json:"created_at"`
}

func appendPlan(b []byte, p *shoal.Plan) []byte {
	w := wirePlanTerms{ID: p.ID, Object: "plan", Name: p.Name, Credits: limitedCredits(p.Credits), Interval: p.Interval,
		RolloverMax: limitedCredits(p.RolloverMax), RolloverDays: p.RolloverDays, ForceLaunch: p.ForceLaunch, Premium: p.Premium,
		CreatedAt: stamp(p.CreatedAt)}
	if p.Slots > 0 {
		w.Slots = &p.Slots
	}
	return appendJSON(b, w)
}

func limitedCredits(n shoal.Credits) *credits {
	if n < 0 {
		return nil
	}
	c := credits(n)
	return &c
}

// The most that a plan or a grant may give, and an invoice ask for.
const (
	maxCredits = 1_000_000_000 // credits
	maxSlots   = 1_000_000
	maxAmount  = 1_000_000_000 // of money
)

// decimal returns a number within lo..hi; 0 when it is absent or null.
func (f *fields) decimal(key string, lo, hi float64) float64 {
	v := f.m[key]
	if v == nil {
		return 0
	}
	text, ok := v.(number)
	if !ok {
		f.wrong(key, "a number")
		return 0
	}
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || n < lo || n > hi {
		f.bad(key, "%s is %s; it must be a number from %g to %g", f.name(key), clip(string(text), 40), lo, hi)
		return 0
	}
	return n
}

// creditsOr returns an amount of credits; none when it is absent, and
// unlimited, -1, when it is null.
func (f *fields) creditsOr(key string, none shoal.Credits) shoal.Credits {
	switch {
	case !f.has(key):
		return none
	case f.m[key] == nil:
		return -1
	}
	return shoal.CreditsOf(f.decimal(key, 0, maxCredits))
}

// planTerms changes p by what f has of its terms.
func (f *fields) planTerms(p *shoal.Plan) {
	p.Credits = f.creditsOr("credits", p.Credits)
	p.RolloverMax = f.creditsOr("rollover_max", p.RolloverMax)
	p.RolloverDays = f.integer("rollover_days", p.RolloverDays, 0, 366)
	if f.has("slots") {
		p.Slots = f.integer("slots", 0, 1, maxSlots)
	}
	p.ForceLaunch = f.flag("force_launch", p.ForceLaunch)
	p.Premium = f.flag("premium", p.Premium)
	if text := f.text("interval"); text != "" {
		if p.Interval = text; text != "monthly" && text != "daily" {
			f.bad("interval", "interval is %q; it must be monthly or daily", clip(text, 40))
		}
	}
}

func (a *API) createPlan(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("name")
	if !f.has("credits") {
		f.fail(shoal.Invalid("ParamsNeeded", "credits", "credits is required: how many a period has, or null for a plan without a limit"))
	}
	p := shoal.Plan{Name: f.label("name"), Interval: "monthly"}
	if f.has("name") && f.err == nil && (p.Name == "" || shoal.ValidID(p.Name)) {
		f.bad("name", "name is %q; it must be a word or two, and not look like an id", p.Name)
	}
	f.planTerms(&p)
	if err := f.error(); err != nil {
		return err
	}
	ctx := effectCtx(c, http.StatusCreated, func(p shoal.Plan) []byte { return appendPlan(nil, &p) })
	if p, err = a.store.CreatePlan(ctx, p); err != nil {
		return err
	}
	a.log.Info("plan made", "plan", p.Name, "by", string(c.key.UserID))
	return c.send(http.StatusCreated, appendPlan(nil, &p))
}

func (a *API) listPlans(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := a.store.Plans(c.ctx(), w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, appendPlan)
}

// planName returns the path's plan, an id or a name.
func (c *call) planName() string {
	if name := c.r.PathValue("id"); validText(name) {
		return name
	}
	return ""
}

func (a *API) getPlan(c *call) error {
	p, err := a.store.Plan(c.ctx(), c.planName())
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, appendPlan(nil, &p))
}

func (a *API) updatePlan(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	if f.has("name") {
		f.fail(shoal.Invalid("InvalidParam", "name", "the name of a plan stays: workspaces are on it by its name"))
	}
	ctx := effectCtx(c, http.StatusOK, func(p shoal.Plan) []byte { return appendPlan(nil, &p) })
	p, err := a.store.UpdatePlan(ctx, c.planName(), func(p *shoal.Plan) error {
		f.planTerms(p)
		return f.error()
	})
	if err != nil {
		return err
	}
	a.log.Info("plan changed", "plan", p.Name, "by", string(c.key.UserID))
	return c.send(http.StatusOK, appendPlan(nil, &p))
}

func (a *API) deletePlan(c *call) error {
	p, err := a.store.DeletePlan(c.ctx(), c.planName())
	if err != nil {
		return err
	}
	a.log.Info("plan deleted", "plan", p.Name, "by", string(c.key.UserID))
	return c.json(http.StatusOK, deleted{string(p.ID), "plan", true})
}

// workspaceOf returns the workspace of the path: its id, or the email of a user
// in it.
func (a *API) workspaceOf(c *call, idOrEmail string) (shoal.WorkspaceID, error) {
	if strings.Contains(idOrEmail, "@") {
		u, err := a.findUser(c, idOrEmail)
		return u.WorkspaceID, err
	}
	if !shoal.ValidID(idOrEmail) {
		return "", shoal.ErrWorkspaceNotFound
	}
	w, err := a.store.Workspace(c.ctx(), shoal.WorkspaceID(idOrEmail))
	return w.ID, err
}

func (a *API) workspaceBalance(c *call) error {
	ws, err := a.workspaceOf(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	b, err := a.store.Balance(c.ctx(), ws)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, appendBalance(nil, &b))
}

func (a *API) assignPlan(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("plan")
	plan, zone := f.text("plan"), f.text("timezone")
	if err := f.error(); err != nil {
		return err
	}
	ws, err := a.workspaceOf(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if !validText(plan) || !validText(zone) {
		return shoal.Invalid("InvalidParameterValue", "plan", "plan and timezone must be text")
	}
	p, err := a.store.Plan(c.ctx(), plan)
	if err != nil {
		return err
	}
	ctx := effectCtx(c, http.StatusOK, func(b shoal.Balance) []byte { return appendBalance(nil, &b) })
	b, err := a.store.AssignPlan(ctx, ws, p.ID, zone, string(c.key.UserID))
	if err != nil {
		return err
	}
	a.log.Info("plan assigned", "workspace", string(ws), "plan", p.Name, "by", string(c.key.UserID))
	return c.send(http.StatusOK, appendBalance(nil, &b))
}

func (a *API) grantCredits(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("credits")
	n, note := shoal.CreditsOf(f.decimal("credits", -maxCredits, maxCredits)), f.label("note")
	if f.err == nil && n == 0 {
		f.bad("credits", "credits is 0; it must be how many to give, or below zero how many to take back")
	}
	if err := f.error(); err != nil {
		return err
	}
	ws, err := a.workspaceOf(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	ctx := effectCtx(c, http.StatusOK, func(b shoal.Balance) []byte { return appendBalance(nil, &b) })
	b, err := a.store.GrantCredits(ctx, ws, n, note, string(c.key.UserID))
	if err != nil {
		return err
	}
	a.log.Info("credits granted", "workspace", string(ws), "credits", n.Float(), "by", string(c.key.UserID))
	return c.send(http.StatusOK, appendBalance(nil, &b))
}

func (a *API) workspaceEntries(c *call) error {
	ws, err := a.workspaceOf(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.entries(c, ws)
}
