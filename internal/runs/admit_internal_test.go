package runs

import (
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/crawl"
)

// TestObstacle names each thing that keeps a run from working, and which of two
// is told.
func TestObstacle(t *testing.T) {
	good := shoal.Standing{SquidActive: true, Credits: -1, Premium: true}
	priced := shoal.Run{Settings: shoal.RunSettings{Concurrency: 2, CreditsPerRow: 1}}
	bill := &shoal.Invoice{Number: "INV-000007", Cents: 4905, Currency: "EUR", DueAt: time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)}
	with := func(change func(*shoal.Standing)) shoal.Standing {
		st := good
		change(&st)
		return st
	}
	for name, c := range map[string]struct {
		crawler crawl.State
		st      shoal.Standing
		on      Trigger
		reason  shoal.DoneReason
		refused string // code of a person's start; empty: the run is made
	}{
		"squid off":       {crawl.State{}, with(func(st *shoal.Standing) { st.SquidActive = false }), OnAbort, shoal.ReasonDeactivated, "ModuleUnavailable"},
		"crawler off":     {crawl.State{Off: true}, good, OnAbort, shoal.ReasonDeactivated, "ModuleUnavailable"},
		"maintenance":     {crawl.State{Maintenance: true}, good, OnHold, shoal.ReasonModuleMaintenance, "ModuleUnavailable"},
		"no credits":      {crawl.State{}, with(func(st *shoal.Standing) { st.Credits = 0 }), OnHold, shoal.ReasonNoCreditsLeft, "NotEnoughBalance"},
		"overdue invoice": {crawl.State{}, with(func(st *shoal.Standing) { st.Overdue = bill }), OnFail, shoal.ReasonLastInvoiceNotPaid, ""},
		"unpaid fee":      {crawl.State{}, with(func(st *shoal.Standing) { st.Fee = bill }), OnFail, shoal.ReasonMaintenanceFeesNotPaid, ""},
		"premium crawler": {crawl.State{Premium: true}, with(func(st *shoal.Standing) { st.Premium = false }), OnFail, shoal.ReasonPremiumPlanNeeded, ""},
		"no slots": {crawl.State{}, with(func(st *shoal.Standing) { st.TotalSlots, st.UsedSlots = 3, 2 }), OnHold,
			shoal.ReasonSlotsLimitExceeded, "SlotsLimitExceeded"},
		"an unpaid bill and no credits": {crawl.State{}, with(func(st *shoal.Standing) { st.Credits, st.Overdue = 0, bill }), OnFail,
			shoal.ReasonLastInvoiceNotPaid, ""},
		"off and no credits": {crawl.State{Off: true}, with(func(st *shoal.Standing) { st.Credits = 0 }), OnAbort,
			shoal.ReasonDeactivated, "ModuleUnavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			o := obstacle(&priced, c.crawler, &c.st)
			if o == nil || o.On != c.on || o.Reason != c.reason {
				t.Fatalf("%+v, want %v %s", o, c.on, c.reason)
			}
			if err := checkReason(*o); err != nil {
				t.Error(err)
			}
			err := refuseStart(o)
			if c.refused == "" {
				if err != nil {
					t.Errorf("a person's start is refused: %v", err)
				}
				return
			}
			if shoal.CodeOf(err) != c.refused || !strings.HasSuffix(err.Error(), ".") {
				t.Errorf("a person's start: %v, want %s in a sentence", err, c.refused)
			}
		})
	}
	if o := obstacle(&priced, crawl.State{Message: "a note"}, &good); o != nil {
		t.Errorf("nothing is in the way, and %+v is", o)
	}
	forced := priced
	forced.ForceLaunch = true
	for what, c := range map[string]struct {
		run *shoal.Run
		st  shoal.Standing
	}{
		"one micro-credit is left":          {&priced, with(func(st *shoal.Standing) { st.Credits = 1 })},
		"its rows are free":                 {&shoal.Run{}, with(func(st *shoal.Standing) { st.Credits = 0 })},
		"its slots are the last":            {&priced, with(func(st *shoal.Standing) { st.TotalSlots, st.UsedSlots = 3, 1 })},
		"it takes the plan's slots":         {&shoal.Run{Settings: shoal.RunSettings{Concurrency: 9}}, with(func(st *shoal.Standing) { st.TotalSlots = 3 })},
		"a person and the plan overrule":    {&forced, with(func(st *shoal.Standing) { st.TotalSlots, st.UsedSlots, st.ForceLaunch = 3, 3, true })},
		"a premium crawler on such a plan ": {&priced, good},
	} {
		if o := obstacle(c.run, crawl.State{Premium: true}, &c.st); o != nil {
			t.Errorf("%s, and %+v is in the way", what, o)
		}
	}
	forcedInVain := with(func(st *shoal.Standing) { st.TotalSlots, st.UsedSlots = 3, 3 })
	if o := obstacle(&forced, crawl.State{}, &forcedInVain); o == nil || o.Reason != shoal.ReasonSlotsLimitExceeded {
		t.Errorf("a plan that does not let people overrule its slots: %+v", o)
	}
	for reason, want := range map[shoal.DoneReason]string{
		shoal.ReasonLastInvoiceNotPaid:     "The invoice INV-000007 over 49.05 EUR was due on 2026-11-01 and is not paid. Pay it and start again.",
		shoal.ReasonMaintenanceFeesNotPaid: "The crawler's maintenance fee: the invoice INV-000007 over 49.05 EUR was due on 2026-11-01 and is not paid. Pay it and start again.",
	} {
		st := with(func(st *shoal.Standing) { st.Fee = bill })
		if reason == shoal.ReasonLastInvoiceNotPaid {
			st = with(func(st *shoal.Standing) { st.Overdue = bill })
		}
		if o := obstacle(&priced, crawl.State{}, &st); o == nil || o.Desc != want {
			t.Errorf("%s says %q, want %q", reason, o.Desc, want)
		}
	}
}
