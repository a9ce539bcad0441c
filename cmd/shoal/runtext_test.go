package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"shoal/client"
)

// The log and the timeline of a run are read for what happened and why: what
// they say is never cut, be it a cause of two sentences or a long address.
func TestLogAndTimelineAreNotCut(t *testing.T) {
	t.Parallel()
	path := "/" + strings.Repeat("a-long-way-down/", 8)
	s := newServer(t, t.TempDir(), "")
	s.start()
	run := s.begin("website", site(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><title>one page</title>")
	}))+path, 1)
	s.await(run, time.Minute, func(r *client.Run) bool { return r.IsDone })
	for verb, want := range map[string]string{
		"log":      path,
		"timeline": "Collecting is over, the results are exported.",
	} {
		said, code := s.shoal(nil, "run", verb, run, "--server", "http://"+s.addr, "--key", testKey)
		if code != 0 || !strings.Contains(said, want) || strings.Contains(said, "…") {
			t.Errorf("run %s (exit %d) has to say %q, and all of the rest:\n%s", verb, code, want, said)
		}
	}
}
