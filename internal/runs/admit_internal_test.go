package runs

import (
	"strings"
	"testing"

	"shoal"
	"shoal/internal/crawl"
)

// TestObstacle names each thing that keeps a run from working, and which of two
// is told.
func TestObstacle(t *testing.T) {
	good := shoal.Standing{SquidActive: true, Credits: -1}
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
		"squid off":   {crawl.State{}, with(func(st *shoal.Standing) { st.SquidActive = false }), OnAbort, shoal.ReasonDeactivated, "ModuleUnavailable"},
		"crawler off": {crawl.State{Off: true}, good, OnAbort, shoal.ReasonDeactivated, "ModuleUnavailable"},
		"maintenance": {crawl.State{Maintenance: true}, good, OnHold, shoal.ReasonModuleMaintenance, "ModuleUnavailable"},
		"no credits":  {crawl.State{}, with(func(st *shoal.Standing) { st.Credits = 0 }), OnHold, shoal.ReasonNoCreditsLeft, "NotEnoughBalance"},
		"off and no credits": {crawl.State{Off: true}, with(func(st *shoal.Standing) { st.Credits = 0 }), OnAbort,
			shoal.ReasonDeactivated, "ModuleUnavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			o := obstacle(c.crawler, &c.st)
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
	if o := obstacle(crawl.State{Message: "a note"}, &good); o != nil {
		t.Errorf("nothing is in the way, and %+v is", o)
	}
	if o := obstacle(crawl.State{}, &shoal.Standing{SquidActive: true, Credits: 1}); o != nil {
		t.Errorf("one micro-credit is left, and %+v is in the way", o)
	}
}
