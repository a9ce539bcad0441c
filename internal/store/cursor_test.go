package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// consumer reads a squid by a cursor and keeps what it acknowledged.
type consumer struct {
	e    *storetest.Env
	ask  shoal.CursorQuery
	kept []string
	// gone is how many results it was told are removed.
	gone int64
}

func newConsumer(e *storetest.Env, squid shoal.SquidID, name string) *consumer {
	return &consumer{e: e, ask: shoal.CursorQuery{Workspace: e.Workspace, Squid: squid, Name: name}}
}

// take returns an answer and its rows.
func (c *consumer) take(t *testing.T, limit int64) (shoal.Taken, []string) {
	t.Helper()
	ask := c.ask
	ask.Limit = limit
	taken, err := c.e.Store.TakeResults(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	q := shoal.ResultQuery{Workspace: ask.Workspace, Squid: ask.Squid, After: taken.After, Upto: taken.Upto, Limit: 300}
	for taken.More {
		batch, err := c.e.Store.ReadResults(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			rows = append(rows, rowData(batch[i]))
		}
		if len(batch) < q.Limit {
			break
		}
		q.After = batch[len(batch)-1].Key
	}
	return taken, rows
}

// keep stores an answer and will acknowledge it with the next call.
func (c *consumer) keep(taken shoal.Taken, rows []string) {
	c.kept, c.gone = append(c.kept, rows...), c.gone+taken.Removed
	c.ask.Ack = &taken.Mark
}

// Whatever runs collect, are deleted, purged and emptied, and wherever a consumer
// dies, it gets every result that lives when it comes to it, once and in order,
// and is told how many it did not get. A model of lists says what is right.
func TestCursorAgreesWithAModel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		squid := newSquid(t, e, "")
		addTasks(t, e, squid.ID, newTasks("url", 0, 1))
		rnd := rand.New(rand.NewPCG(7, 8))
		type modelRow struct {
			run  int
			data string
		}
		var all []modelRow // in order of collection; a deleted one has no data
		runs := map[int]shoal.Run{}
		c := newConsumer(e, squid.ID, "loader")
		at, step := 0, 0 // rows of all that c has acknowledged
		var want []string
		for ; step < 60; step++ {
			switch rnd.IntN(7) {
			case 0, 1: // a run collects
				n := []int{0, 1, 3, 40, 900, 1300}[rnd.IntN(6)]
				var rows []shoal.Row
				for i := range n {
					rows = append(rows, storetest.Row(fmt.Sprint("run ", step, " row ", i)))
					all = append(all, modelRow{step, string(rows[i].Data)})
				}
				runs[step] = collectRun(t, e, squid.ID, func(int64) []shoal.Row { return rows })
			case 2: // a run is deleted, and perhaps purged
				for id, r := range runs {
					if err := e.Store.DeleteRun(t.Context(), e.Workspace, r.ID); err != nil {
						t.Fatal(err)
					}
					if rnd.IntN(2) == 0 {
						purge(t, e, jobs.PurgeArgs{Noun: "run", PK: r.PK})
					}
					for i := range all {
						if all[i].run == id {
							all[i].data = ""
						}
					}
					delete(runs, id)
					break
				}
			case 3:
				if rnd.IntN(4) > 0 {
					break
				}
				if _, err := e.Store.EmptySquid(t.Context(), e.Workspace, squid.ID, ""); err != nil {
					t.Fatal(err)
				}
				addTasks(t, e, squid.ID, newTasks("url", step, step+1))
				for i := range all {
					all[i].data = ""
				}
			default: // the consumer asks, and may die with the answer in hand
				limit := []int64{0, 1, 7, 500, 2000}[rnd.IntN(5)]
				var living []string
				gone := int64(0)
				next := at
				for ; next < len(all) && (limit == 0 || int64(len(living)) < limit); next++ {
					if all[next].data == "" {
						gone++
					} else {
						living = append(living, all[next].data)
					}
				}
				if limit > 0 && int64(len(living)) < limit || limit == 0 {
					next = len(all)
				}
				taken, rows := c.take(t, limit)
				if !slices.Equal(rows, living) || taken.Count != int64(len(rows)) {
					t.Fatalf("step %d, limit %d: %d rows (count %d), want %d", step, limit, len(rows), taken.Count, len(living))
				}
				// When the rows run out with the limit, what is deleted behind them may be passed over now or later.
				if at > 0 && (taken.Removed < gone || next < len(all) && taken.Removed != gone) {
					t.Fatalf("step %d, limit %d: %d removed, want %d", step, limit, taken.Removed, gone)
				}
				if rnd.IntN(3) == 0 {
					if rnd.IntN(2) == 0 {
						c.ask.Ack = nil // a new process knows no token
					}
					break
				}
				c.keep(taken, rows)
				want = append(want, living...)
				at = int(taken.Mark.Seq)
				// What it acknowledges counts with the next call, which a new process does not make.
				c.take(t, 1)
			}
		}
		if !slices.Equal(c.kept, want) || len(want) < 1000 {
			t.Fatalf("the consumer has %d rows, want %d, and at least 1000", len(c.kept), len(want))
		}
		l, err := e.Store.Cursors(t.Context(), e.Workspace, squid.ID, window(1, 9))
		if err != nil || l.Total != 1 || l.Items[0].Name != "loader" || l.Items[0].AckedAt.IsZero() || l.Items[0].SquidID != squid.ID {
			t.Fatalf("%+v, %v", l, err)
		}
		left := int64(0)
		for _, r := range all[at:] {
			if r.data != "" {
				left++
			}
		}
		if l.Items[0].Left != left {
			t.Errorf("the list says %d are left, want %d", l.Items[0].Left, left)
		}
	})
}

// Consumers that follow a run while several slots commit its pages, on one server
// and on another one, miss no row and see none twice.
func TestCursorFollowsALiveRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		const slots, tasks = 4, 400
		squid := e.Squid(t, tasks)
		run := e.Run(t, squid, shoal.RunSettings{Concurrency: slots})
		servers := []*store.Store{e.Store}
		if e.DB.Dialect() == store.Postgres {
			servers = append(servers, anotherServer(t, e))
		}
		var writers, readers sync.WaitGroup
		for slot := range slots {
			l, s := e.Lease(t, run.ID, slot), servers[slot%len(servers)]
			writers.Go(func() {
				for {
					work, err := s.Claim(t.Context(), l, 3)
					if err != nil || len(work) == 0 {
						if err != nil {
							t.Error(err)
						}
						return
					}
					for _, w := range work {
						page := storetest.Page(l, w, storetest.Row(fmt.Sprint("a", w.TaskSeq)), storetest.Row(fmt.Sprint("b", w.TaskSeq)))
						if _, err := s.CommitPage(t.Context(), page); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		for n, limit := range []int64{0, 1, 50} {
			readers.Go(func() {
				c := newConsumer(e, squid, fmt.Sprint("reader-", n))
				for len(c.kept) < 2*tasks {
					taken, rows := c.take(t, limit)
					if !taken.More {
						if err := e.Store.WaitResults(t.Context(), e.Workspace, squid, taken.Upto); err != nil {
							t.Error(err)
							return
						}
						continue
					}
					if taken.Removed != 0 || len(rows) == 0 {
						t.Errorf("%d rows, %d removed", len(rows), taken.Removed)
						return
					}
					c.keep(taken, rows)
				}
				slices.Sort(c.kept)
				if got := len(slices.Compact(c.kept)); got != 2*tasks {
					t.Errorf("reader %d has %d different rows, want %d", n, got, 2*tasks)
				}
			})
		}
		writers.Wait()
		readers.Wait()
	})
}

// anotherServer returns the store of a second process on the same database.
func anotherServer(t *testing.T, e *storetest.Env) *store.Store {
	t.Helper()
	db, err := store.OpenDB(t.Context(), e.Options)
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(db, e.Jobs)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, db.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Two processes that use one cursor each get all behind their own token; the
// cursor is where the further one is.
func TestCursorOfTwoProcesses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		squid := e.Squid(t, 20)
		collectRun(t, e, squid, oneRowEach("r"))
		a, b := newConsumer(e, squid, "shared"), newConsumer(e, squid, "shared")
		for range 4 {
			a.keep(a.take(t, 5))
			b.keep(b.take(t, 2))
		}
		if len(a.kept) != 20 || len(b.kept) != 8 {
			t.Fatalf("a has %d rows, b %d", len(a.kept), len(b.kept))
		}
		b.keep(b.take(t, 0))
		if !slices.Equal(a.kept, b.kept) {
			t.Errorf("a has %v\nb has %v", a.kept, b.kept)
		}
		// a has not acknowledged its last answer, but b's last call did nothing to what a did.
		if taken, rows := newConsumer(e, squid, "shared").take(t, 0); len(rows) != 5 || taken.Left != 5 {
			t.Errorf("a third one gets %d rows, %d left; want the 5 that nobody has acknowledged", len(rows), taken.Left)
		}
	})
}

// Tokens are refused where they would pass over results, and each refusal says
// what to do.
func TestCursorRefusals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		squid, other := e.Squid(t, 3), e.Squid(t, 3)
		first := collectRun(t, e, squid, oneRowEach("r"))
		collectRun(t, e, other, oneRowEach("r"))
		c := newConsumer(e, squid, "c")
		taken, _ := c.take(t, 2)
		refused := func(what string, q shoal.CursorQuery, mark shoal.CursorMark) {
			t.Helper()
			q.Ack = &mark
			_, err := e.Store.TakeResults(ctx, q)
			if shoal.KindOf(err) != shoal.KindInvalid || !strings.Contains(err.Error(), "without ack") {
				t.Errorf("%s: %v, want it refused with a remedy", what, err)
			}
		}
		d := newConsumer(e, other, "c")
		d.take(t, 1)
		refused("a token of another squid", d.ask, taken.Mark)
		f := newConsumer(e, squid, "d")
		f.take(t, 1)
		refused("a token of another consumer", f.ask, taken.Mark)
		beyond := taken.Mark
		beyond.Seq = 99
		refused("a token of results that were never there", c.ask, beyond)
		changed := taken.Mark
		changed.Row[3] ^= 1
		refused("a token of a row that is another one now", c.ask, changed)
		if again, rows := c.take(t, 2); len(rows) != 2 || again.Mark != taken.Mark {
			t.Errorf("after the refusals: %+v, want the same answer again", again)
		}
		if _, err := e.Store.SetCursor(ctx, e.Workspace, squid, "c", shoal.CursorBeginning); err != nil {
			t.Fatal(err)
		}
		refused("a token from before the rewinding", c.ask, taken.Mark)
		c.keep(c.take(t, 0))
		if err := e.Store.DeleteCursor(ctx, e.Workspace, squid, "c"); err != nil {
			t.Fatal(err)
		}
		_, err := e.Store.TakeResults(ctx, c.ask)
		wantErr(t, "a token of a deleted cursor", err, shoal.ErrCursorNotFound)
		wantErr(t, "deleted twice", e.Store.DeleteCursor(ctx, e.Workspace, squid, "c"), shoal.ErrCursorNotFound)
		c.ask.Ack = nil
		if _, rows := c.take(t, 0); len(rows) != 3 {
			t.Errorf("made anew it gives %d rows, want all 3", len(rows))
		}
		second := collectRun(t, e, squid, oneRowEach("s"))
		empty := collectRun(t, e, squid, func(int64) []shoal.Row { return nil })
		for to, left := range map[string]int64{shoal.CursorBeginning: 6, shoal.CursorEnd: 0, string(first.ID): 6, string(second.ID): 3, string(empty.ID): 0} {
			set, err := e.Store.SetCursor(ctx, e.Workspace, squid, "c", to)
			if err != nil || set.Left != left || set.Taken != 6-left {
				t.Errorf("set to %s: %+v, %v; want %d left", to, set, err, left)
			}
		}
		_, err = e.Store.SetCursor(ctx, e.Workspace, other, "c", string(first.ID))
		wantErr(t, "to another squid's run", err, shoal.ErrRunNotFound)
		for i := range shoal.MaxCursors - 2 {
			if _, err := e.Store.SetCursor(ctx, e.Workspace, squid, fmt.Sprint("n", i), shoal.CursorEnd); err != nil {
				t.Fatal(err)
			}
		}
		_, err = e.Store.TakeResults(ctx, shoal.CursorQuery{Workspace: e.Workspace, Squid: squid, Name: "one-too-many"})
		if shoal.CodeOf(err) != "UsageLimitExceeded" {
			t.Errorf("one cursor too many: %v", err)
		}
		stranger := c.ask
		stranger.Workspace = shoal.NewID[shoal.WorkspaceID]()
		_, err = e.Store.TakeResults(ctx, stranger)
		wantErr(t, "a stranger", err, shoal.ErrSquidNotFound)
	})
}

// Waiting ends with the first new row, and with the squid.
func TestWaitResults(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		squid := e.Squid(t, 2)
		taken, _ := newConsumer(e, squid, "c").take(t, 0)
		waited := make(chan error, 1)
		wait := func() { waited <- e.Store.WaitResults(t.Context(), e.Workspace, squid, taken.Upto) }
		go wait()
		select {
		case err := <-waited:
			t.Fatalf("it ended at once: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		collectRun(t, e, squid, oneRowEach("r"))
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
		taken, _ = newConsumer(e, squid, "c").take(t, 0)
		go wait()
		if err := e.Store.DeleteSquid(t.Context(), e.Workspace, squid); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "a deleted squid", <-waited, shoal.ErrSquidNotFound)
	})
}

func TestCursorMarks(t *testing.T) {
	m := shoal.CursorMark{Cursor: [16]byte{1, 2, 255}, Seq: 1 << 39, Row: [8]byte{7}}
	got, err := shoal.ParseCursorMark(m.String())
	if err != nil || got != m {
		t.Errorf("%v, %v; want %v", got, err, m)
	}
	for _, bad := range []string{"", "x", m.String() + "A", m.String()[1:], m.String()[:42] + "\n", strings.Repeat("_", 43)} {
		if _, err := shoal.ParseCursorMark(bad); shoal.KindOf(err) != shoal.KindInvalid {
			t.Errorf("%q: %v, want it refused", bad, err)
		}
	}
	for name, ok := range map[string]bool{"nightly-load": true, "A.b_9": true, "": false, "a b": false, "ä": false, "a/b": false, strings.Repeat("x", 65): false} {
		if shoal.ValidCursorName(name) != ok {
			t.Errorf("the name %q: valid should be %t", name, ok)
		}
	}
}
