package changes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// content is what a model run has: a row's text by its name.
type content map[string]string

// collect runs a squid with one task that gives the rows, in a random order.
func collect(t *testing.T, e *storetest.Env, squid shoal.SquidID, rows content, rnd *rand.Rand) shoal.Run {
	t.Helper()
	run := e.Run(t, squid, shoal.RunSettings{})
	l := e.Lease(t, run.ID, 0)
	names := make([]string, 0, len(rows))
	for name := range rows {
		names = append(names, name)
	}
	slices.Sort(names)
	rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var page []shoal.Row
	for _, name := range names {
		row := storetest.Row(name)
		row.Data = []byte(rows[name])
		page = append(page, row)
	}
	e.Commit(t, storetest.Page(l, e.Claim(t, l, 1)[0], page...))
	return end(t, e, run.ID, shoal.RunDone)
}

func end(t *testing.T, e *storetest.Env, id shoal.RunID, status shoal.RunStatus) shoal.Run {
	t.Helper()
	r, err := e.Store.ChangeRun(t.Context(), id, "test", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		r.Status, r.EndedAt = status, now
		return shoal.EffectDropLeases, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func comparer(t *testing.T, e *storetest.Env, partRows int64) *Comparer {
	c := NewComparer(e.Store, t.TempDir())
	c.rows = partRows
	t.Cleanup(func() { c.closeAll(t) })
	return c
}

// closeAll checks that nobody still uses a comparison, and that no file has a name.
func (c *Comparer) closeAll(t *testing.T) {
	for _, cmp := range c.known {
		if cmp.users != 0 {
			t.Errorf("%s has %d users", cmp.name, cmp.users)
		}
		if err := cmp.closeFiles(); err != nil {
			t.Error(err)
		}
	}
	if names, err := os.ReadDir(c.dir); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// Random runs, compared with a map of each: whatever the size of the parts, every
// row is in the list it belongs to, once and in the order of its collection.
func TestCompareAgreesWithAMap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		rnd := rand.New(rand.NewPCG(1, 2))
		squid := e.Squid(t, 1)
		rows := content{}
		var before content
		var older *shoal.Run
		parts := []int64{1 << 17, 300, 40}
		for step := range 9 {
			for name := range rows { // some go, some change, some only in their form
				switch rnd.IntN(6) {
				case 0:
					delete(rows, name)
				case 1:
					rows[name] = fmt.Sprintf(`{"name":%q,"n":%d}`, name, rnd.IntN(1000))
				case 2:
					rows[name] = strings.Replace(rows[name], `{"name"`, `{ "name" `, 1)
				}
			}
			for i := range []int{0, 5, 700, 1500}[rnd.IntN(4)] {
				name := fmt.Sprint(step, "-", i)
				rows[name] = fmt.Sprintf(`{"name":%q,"n":%d}`, name, i)
			}
			newer := collect(t, e, squid, rows, rnd)
			if older != nil {
				check(t, comparer(t, e, parts[step%len(parts)]), older, &newer, before, rows)
			} else {
				check(t, comparer(t, e, 100), nil, &newer, nil, rows)
			}
			older, before = &newer, content{}
			for k, v := range rows {
				before[k] = v
			}
		}
	})
}

func check(t *testing.T, c *Comparer, older, newer *shoal.Run, before, after content) {
	t.Helper()
	got, err := c.Compare(t.Context(), older, newer, Selection{})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	want, same := map[string]Kind{}, int64(0)
	squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
	for name, text := range after {
		was, there := before[name]
		switch {
		case !there:
			want[text] = New
		case squeeze(was) != squeeze(text):
			want[text] = Changed
		default:
			same++
		}
	}
	for name, text := range before {
		if _, there := after[name]; !there {
			want[text] = Gone
		}
	}
	n, last := int64(0), map[Kind]int64{}
	for ch, err := range got.Changes(t.Context(), Kinds, 0) {
		if err != nil {
			t.Fatal(err)
		}
		row := cmp.Or(ch.After, ch.Before)
		if kind, ok := want[string(row.Data)]; !ok || kind != ch.Kind {
			t.Fatalf("%s is %v, want %v %v", row.Data, ch.Kind, kind, ok)
		}
		if row.Key <= last[ch.Kind] {
			t.Fatalf("%s row %d comes after %d", ch.Kind, row.Key, last[ch.Kind])
		}
		last[ch.Kind] = row.Key
		if (ch.Before == nil) != (ch.Kind == New) || (ch.After == nil) != (ch.Kind == Gone) || (len(ch.Fields) > 0) != (ch.Kind == Changed) {
			t.Fatalf("%+v", ch)
		}
		if ch.Kind == Changed && (ch.Before.Digest != ch.After.Digest || ch.Before.RunID != older.ID || ch.After.RunID != newer.ID) {
			t.Fatalf("%+v and %+v", ch.Before, ch.After)
		}
		n++
	}
	if n != int64(len(want)) || n != got.Total(Kinds) || got.Same() != same {
		t.Fatalf("%d changes (counted %d), %d the same; want %d and %d", n, got.Total(Kinds), got.Same(), len(want), same)
	}
	// Every page is a piece of the whole.
	for _, kinds := range [][]Kind{Kinds, {Changed}, {Gone, New}} {
		limit := max(1, int(got.Total(kinds))/3)
		var all int64
		for {
			page, err := got.Page(t.Context(), kinds, all, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			all += int64(len(page))
		}
		if all != got.Total(kinds) {
			t.Fatalf("the pages of %v have %d changes, want %d", kinds, all, got.Total(kinds))
		}
	}
}

// A run that was cut anywhere says so.
func TestCompareSaysWhatRunsLack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		rnd := rand.New(rand.NewPCG(9, 10))
		squid := e.Squid(t, 1)
		lacks := func(r shoal.Run) string {
			t.Helper()
			got, err := comparer(t, e, 10).Compare(t.Context(), nil, &r, Selection{})
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			return got.Lacks().String()
		}
		if why := lacks(collect(t, e, squid, content{"a": `{"a":1}`}, rnd)); why != "" {
			t.Errorf("a whole run lacks: %s", why)
		}
		const limited, short = "a task ended at a limit with more to find", "a task was cut short with the run"
		more := []shoal.Request{storetest.Found("https://site.test/more")}
		for name, c := range map[string]struct {
			settings shoal.RunSettings
			page     func(p *shoal.Page)
			want     string
		}{
			"a limit of results":  {shoal.RunSettings{MaxResults: 1}, func(*shoal.Page) {}, limited},
			"a limit of age":      {shoal.RunSettings{}, func(p *shoal.Page) { p.CloseTask, p.CloseReason = true, shoal.TaskFetchSince }, limited},
			"a limit of requests": {shoal.RunSettings{MaxRequests: 1}, func(p *shoal.Page) { p.Found = more }, limited},
			"an end too early":    {shoal.RunSettings{}, func(p *shoal.Page) { p.Found = more }, short},
			"a failed task":       {shoal.RunSettings{}, func(p *shoal.Page) { p.CloseTask, p.CloseReason = true, shoal.TaskError }, "a task failed"},
		} {
			run := e.Run(t, squid, c.settings)
			l := e.Lease(t, run.ID, 0)
			page := storetest.Page(l, e.Claim(t, l, 1)[0], storetest.Row("a"))
			c.page(page)
			e.Commit(t, page)
			if why := lacks(end(t, e, run.ID, shoal.RunDone)); why != c.want {
				t.Errorf("%s: it lacks %q, want %q", name, why, c.want)
			}
		}
	})
}

// A run that has lost rows is refused, also when it loses them after it was compared.
func TestCompareRefusesRunsThatLostRows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		rnd := rand.New(rand.NewPCG(3, 4))
		squid := e.Squid(t, 1)
		first := collect(t, e, squid, content{"a": `{"a":1}`, "b": `{"b":1}`}, rnd)
		second := collect(t, e, squid, content{"a": `{"a":2}`, "c": `{"c":1}`}, rnd)
		c := comparer(t, e, 10)
		got, err := c.Compare(t.Context(), &first, &second, Selection{})
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if _, err := e.Store.EmptySquid(t.Context(), e.Workspace, squid, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := got.Page(t.Context(), Kinds, 0, 10); shoal.CodeOf(err) != "ResultsRemoved" {
			t.Errorf("after the squid was emptied: %v", err)
		}
		if _, err := comparer(t, e, 10).Compare(t.Context(), &first, &second, Selection{}); shoal.CodeOf(err) != "ResultsRemoved" || shoal.KindOf(err) != shoal.KindConflict {
			t.Errorf("of an emptied squid: %v", err)
		}
	})
}

// Many ask for the same and for other comparisons at once: each is made once while
// it is kept, and none is closed under its users.
func TestComparerIsShared(t *testing.T) {
	e := storetest.SQLite(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	squid := e.Squid(t, 1)
	first := collect(t, e, squid, content{"a": `{"a":1,"b":1}`, "b": `{"a":1}`}, rnd)
	second := collect(t, e, squid, content{"a": `{"a":2,"b":2}`, "c": `{"a":1}`}, rnd)
	c := comparer(t, e, 10)
	var asking sync.WaitGroup
	for n := range 200 {
		asking.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if n%5 == 0 {
				cancel() // has gone before it is answered
			}
			got, err := c.Compare(ctx, &first, &second, Selection{Omit: []string{fmt.Sprint("x", n%(2*keptMost))}})
			if err != nil {
				if n%5 != 0 || !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				return
			}
			page, err := got.Page(t.Context(), Kinds, 0, 10)
			if err != nil || len(page) != 3 {
				t.Errorf("%d changes, %v", len(page), err)
			}
			if err := got.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if n := c.kept.Len(); n > keptMost || n != len(c.known) || n == 0 {
		t.Errorf("%d comparisons are kept, %d known; at most %d may be", n, len(c.known), keptMost)
	}
}

// The earlier run to compare with is the newest that collected completely.
func TestRunBefore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		rnd := rand.New(rand.NewPCG(7, 8))
		squid := e.Squid(t, 1)
		run := func(status shoal.RunStatus) shoal.Run {
			r := e.Run(t, squid, shoal.RunSettings{})
			return end(t, e, r.ID, status)
		}
		before := func(r *shoal.Run) (complete, ended shoal.RunID) {
			t.Helper()
			c, n, err := e.Store.RunBefore(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if c != nil {
				complete = c.ID
			}
			if n != nil {
				ended = n.ID
			}
			return complete, ended
		}
		first := run(shoal.RunAborted)
		if c, n := before(&first); c != "" || n != "" {
			t.Errorf("before the first: %s, %s", c, n)
		}
		second := collect(t, e, squid, content{}, rnd)
		if c, n := before(&second); c != "" || n != first.ID {
			t.Errorf("behind an aborted one: %s, %s", c, n)
		}
		third := run(shoal.RunError)
		fourth := run(shoal.RunDone)
		if c, _ := before(&fourth); c != second.ID {
			t.Errorf("behind a failed one: %s, want %s and not %s", c, second.ID, third.ID)
		}
		if err := e.Store.DeleteRun(t.Context(), e.Workspace, second.ID); err != nil {
			t.Fatal(err)
		}
		if c, n := before(&fourth); c != "" || n != third.ID {
			t.Errorf("when it is deleted: %s, %s", c, n)
		}
	})
}
