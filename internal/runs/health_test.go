package runs_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"shoal"
	"shoal/internal/runs"
)

// TestIncompleteResultsAreFlagged: the site loses its titles, and then half of
// its pages; each time the run says so, and so do its squid and its history.
func TestIncompleteResultsAreFlagged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		var untitled, small atomic.Bool
		site := tree(t, 30, func(rw http.ResponseWriter, r *http.Request) bool {
			rw.Header().Set("Content-Type", "text/html")
			switch {
			case small.Load():
				fmt.Fprint(rw, "<title>all there is</title>")
			case untitled.Load():
				var i int
				if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil {
					t.Error(err)
				}
				fmt.Fprintf(rw, "<a href=/%d>x</a><a href=/%d>y</a>", 2*i+1, 2*i+2)
			default:
				return true
			}
			return false
		})
		q := w.squid(2, nil, site.URL+"/0")
		run := func() (shoal.Run, string) {
			t.Helper()
			r := w.awaitStatus(w.start(q).ID, shoal.RunDone)
			squid, err := w.Store.Squid(t.Context(), w.Workspace, q)
			if err != nil {
				t.Fatal(err)
			}
			return r, squid.Message
		}
		quiet := func(r shoal.Run, message string) {
			t.Helper()
			if strings.Contains(r.DoneReasonDesc, "incomplete") || message != "" {
				t.Errorf("a complete run says %q, its squid %q", r.DoneReasonDesc, message)
			}
		}
		quiet(run())
		quiet(run())
		untitled.Store(true)
		r, message := run()
		if !strings.Contains(r.DoneReasonDesc, "title is filled in 0 % of the rows, in the 2 runs before it was 100 %") || !strings.HasSuffix(r.DoneReasonDesc, message) {
			t.Errorf("without titles: %q, the squid %q", r.DoneReasonDesc, message)
		}
		if r.DoneReason != shoal.ReasonTasksDone || !r.ExportDone {
			t.Errorf("a flagged run is %s, exported %v", r.DoneReason, r.ExportDone)
		}
		log, err := w.Store.RunLog(t.Context(), w.Workspace, r.ID, shoal.Window{Page: 1, Limit: 20})
		if err != nil {
			t.Fatal(err)
		}
		notes := 0
		for _, e := range log.Items {
			if e.Kind == shoal.EventNote && strings.Contains(string(e.Payload), "look incomplete") {
				notes++
			}
		}
		if notes != 1 {
			t.Errorf("%d notes of it", notes)
		}
		untitled.Store(false)
		quiet(run())
		small.Store(true)
		if r, message = run(); !strings.Contains(r.DoneReasonDesc, "1 result, where the 3 runs before gave about 30") || message == "" {
			t.Errorf("with one page: %q, the squid %q", r.DoneReasonDesc, message)
		}
		// What stays as it is, is the site as it is.
		run()
		run()
		quiet(run())
	})
}
