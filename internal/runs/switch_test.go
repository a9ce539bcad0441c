package runs_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/runs"
	"shoal/internal/store/storetest"
)

// TestSquidSwitchedOff: nobody tells the engine; it looks.
func TestSquidSwitchedOff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{Heartbeat: 50 * time.Millisecond})
		g := newGate()
		defer g.open()
		site := tree(t, 20, func(rw http.ResponseWriter, r *http.Request) bool { return r.URL.Path != "/3" || g.wait(rw, r) })
		run := w.start(w.squid(1, nil, site.URL+"/0"))
		<-g.came
		off := false
		if _, err := w.Store.UpdateSquid(t.Context(), w.Workspace, run.SquidID, shoal.SquidPatch{IsActive: &off}); err != nil {
			t.Fatal(err)
		}
		r := w.awaitStatus(run.ID, shoal.RunAborted)
		if r.DoneReason != shoal.ReasonDeactivated || !strings.Contains(r.DoneReasonDesc, "switched off") || !r.ExportDone || r.UniqueResults == 0 {
			t.Errorf("%s %q, exported %v, %d results", r.DoneReason, r.DoneReasonDesc, r.ExportDone, r.UniqueResults)
		}
		storetest.Check(t, w.Env, run.ID)
	})
}
