package runs_test

import (
	"strings"
	"testing"

	"shoal"
	"shoal/internal/runs"
)

// TestStartOnALowDiskPausesAtOnce: a run that starts when there is too little
// room does not wait for the watch's next look, since nothing can be recorded
// by then. No engine is at work here: it is the start that pauses.
func TestStartOnALowDiskPausesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		svc := w.service(runs.Config{MinFree: 1 << 60})
		made, err := svc.Start(t.Context(), runs.StartRequest{Workspace: w.Workspace, Squid: w.squid(1, nil, "https://a.example/")})
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Store.Run(t.Context(), w.Workspace, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != shoal.RunPaused || r.DoneReason != shoal.ReasonStorageFull || !strings.Contains(r.DoneReasonDesc, "needs") {
			t.Errorf("it is %s/%s: %s", r.Status, r.DoneReason, r.DoneReasonDesc)
		}
	})
}
