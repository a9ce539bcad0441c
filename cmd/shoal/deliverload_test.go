package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
)

// TestHundredRunsEverywhere has a hundred runs of twenty squids end together on
// two servers with one PostgreSQL, each told by five channels: every delivery
// arrives once, and no transaction has to be run again because two locked what
// the other wanted.
func TestHundredRunsEverywhere(t *testing.T) {
	t.Parallel()
	const squids, rounds = 20, 5
	e := newEverywhere(t)
	e.release()
	target := site(t, fixtures.Static()) + "/"
	database := pgtest.Database(t)
	first := newServer(t, t.TempDir(), database, append(e.flags(), "-v")...)
	first.start()
	second := newServer(t, t.TempDir(), database, append(e.flags(), "-v")...)
	second.start()
	ids := make([]string, squids)
	for i := range ids {
		ids[i] = e.squid(first, target)
	}
	began := time.Now()
	var all sync.WaitGroup
	for i, squid := range ids {
		server := []*server{first, second}[i%2]
		all.Go(func() {
			for range rounds {
				var run *client.Run
				patiently(t, func() (err error) { run, err = server.client().StartRun(t.Context(), squid); return err })
				for run != nil && !run.IsDone {
					id := run.ID
					patiently(t, func() (err error) { run, err = server.client().WaitRun(t.Context(), id, time.Second); return err })
				}
			}
		})
	}
	all.Wait()
	ended := time.Now()
	for open := -1; open != 0; {
		open = 0
		for _, status := range []string{"pending", "failed", "cancelled"} {
			p, err := first.client().Deliveries(t.Context(), "", "", status, client.Window{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			open += int(p.TotalResults)
		}
		if time.Since(ended) > time.Minute {
			t.Fatalf("%d deliveries are not delivered", open)
		}
		if open > 0 {
			<-time.After(50 * time.Millisecond)
		}
	}
	t.Logf("%d runs took %s, and their %d deliveries were all out %s after the last", squids*rounds, ended.Sub(began).Round(time.Millisecond),
		squids*rounds*len(everyChannel), time.Since(ended).Round(time.Millisecond))
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range everyChannel {
		once := map[string]bool{}
		for _, id := range e.got[c] {
			once[id] = true
		}
		if len(once) != squids*rounds || len(e.got[c]) != squids*rounds {
			t.Errorf("%s: %d arrivals of %d deliveries, want %d once each", c, len(e.got[c]), len(once), squids*rounds)
		}
	}
	for i, s := range []*server{first, second} {
		for line := range strings.Lines(s.log.tail(64 << 20)) {
			if strings.Contains(line, "run again") || strings.Contains(line, "deadlock") || strings.Contains(line, "level=ERROR") {
				t.Errorf("server %d: %s", i+1, strings.TrimSpace(fmt.Sprintf("%.500s", line)))
			}
		}
	}
}

// patiently asks again as long as the server says that its database is away for
// a moment, as one is to which a hundred connect at the same time.
func patiently(t *testing.T, ask func() error) {
	for {
		err := ask()
		if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusServiceUnavailable && t.Context().Err() == nil {
			continue
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
}
