package deliver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/export"
	"shoal/internal/sheetstest"
	"shoal/internal/store/storetest"
)

const robot = "shoal@shoal-test.iam.gserviceaccount.com"

// desk is an office whose squid's results go to a spreadsheet.
type desk struct {
	*office
	google *sheetstest.Server
	book   *sheetstest.Book
	key    string
	fields []string            // the crawler's
	made   map[shoal.RunID]int // how many rows are made up for a run
}

func newDesk(t *testing.T, e *storetest.Env, set func(*deliver.Options)) *desk {
	d := &desk{google: sheetstest.Start(t), fields: []string{"name", "price"}, made: map[shoal.RunID]int{}}
	d.key = d.google.ServiceAccount(robot)
	d.book = d.google.NewBook("Prices", robot)
	d.office = newOffice(t, e, func(o *deliver.Options) {
		o.Google.Endpoint = d.google.URL
		o.Columns = func(context.Context, *shoal.Run) ([]shoal.Attribute, error) {
			var all []shoal.Attribute
			for _, f := range d.fields {
				all = append(all, shoal.Attribute{Name: f, Type: shoal.AttrString})
			}
			return all, nil
		}
		o.Rows = func(ctx context.Context, r *shoal.Run) export.Rows {
			if n, ok := d.made[r.ID]; ok {
				return made(n, r)
			}
			return export.Read(ctx, e.Store, shoal.ResultQuery{Workspace: r.WorkspaceID, Run: r.ID})
		}
		if set != nil {
			set(o)
		}
	})
	return d
}

// to sets the sheet as the squid's, with more settings.
func (d *desk) to(more map[string]any) {
	d.t.Helper()
	fields := map[string]any{"url": d.book.URL(), "credentials": d.key}
	for k, v := range more {
		fields[k] = v
	}
	d.set(map[shoal.Channel]map[string]any{shoal.ChannelSheet: fields})
}

// row is a result with the key of its name.
func row(name string, data string) shoal.Row {
	r := storetest.Row(name)
	r.Data = []byte(data)
	return r
}

func named(names ...string) []shoal.Row {
	var rows []shoal.Row
	for _, n := range names {
		rows = append(rows, row(n, fmt.Sprintf(`{"name":%q,"price":1.5}`, n)))
	}
	return rows
}

// many returns n rows, the i-th named so, from the given number on.
func many(from, n int) []shoal.Row {
	var rows []shoal.Row
	for i := range n {
		rows = append(rows, named(fmt.Sprintf("row %06d", from+i))...)
	}
	return rows
}

// collect has a run collect the rows and end.
func (d *desk) collect(rows []shoal.Row) shoal.Run {
	d.t.Helper()
	run := d.Run(d.t, d.squid, shoal.RunSettings{})
	lease := d.Lease(d.t, run.ID, 0)
	work := d.Claim(d.t, lease, 1)
	d.Commit(d.t, storetest.Page(lease, work[0], rows...))
	d.exported(run.ID)
	return run
}

// send works on the sheet's deliveries once and returns how the run's stands.
func (d *desk) send(run shoal.Run) shoal.Delivery {
	d.t.Helper()
	d.due()
	d.deliver(shoal.ChannelSheet, 1)
	return d.log(run.ID)[0]
}

// arrives is send for a delivery that must succeed.
func (d *desk) arrives(run shoal.Run) shoal.Delivery {
	d.t.Helper()
	got := d.send(run)
	if got.Status != shoal.DeliveryDelivered {
		d.t.Fatalf("the delivery is %s: %s", got.Status, got.Detail)
	}
	return got
}

// column returns the cells of a column below its name.
func column(t *testing.T, rows [][]any, name string) []any {
	t.Helper()
	if len(rows) == 0 {
		t.Fatalf("no header with %s: the tab is empty", name)
	}
	at := slices.Index(rows[0], any(name))
	if at < 0 {
		t.Fatalf("no column %s in %v", name, rows[0])
	}
	var cells []any
	for _, r := range rows[1:] {
		if at < len(r) {
			cells = append(cells, r[at])
		} else {
			cells = append(cells, nil)
		}
	}
	return cells
}

func texts(names ...string) []any {
	var out []any
	for _, n := range names {
		out = append(out, n)
	}
	return out
}

func (d *desk) wantNames(tab string, names ...string) {
	d.t.Helper()
	if diff := cmp.Diff(texts(names...), column(d.t, d.book.Rows(tab), "name")); diff != "" {
		d.t.Errorf("names in %s (-want +got):\n%s", tab, diff)
	}
}

func TestSheetIsReplaced(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		d := newDesk(t, e, nil)
		d.to(nil)
		d.book.Put("Sheet1", 0, 0, texts("my", "own", "old", "header"), texts("x"))
		first := d.collect(named("a", "b", "c"))
		got := d.arrives(first)
		if got.Target != "Prices / Sheet1" || got.Detail != "3 rows written" || got.StatusCode != 200 {
			t.Errorf("delivered to %q: %d %q", got.Target, got.StatusCode, got.Detail)
		}
		rows := d.book.Rows("Sheet1")
		want := texts("name", "price", "id", "squid", "run", "task", "scraping_time")
		if diff := cmp.Diff(want, rows[0]); diff != "" {
			t.Errorf("header (-want +got):\n%s", diff)
		}
		if rows[1][1] != 1.5 || rows[1][3] != string(d.squid) || rows[1][4] != string(first.ID) {
			t.Errorf("row %v", rows[1])
		}
		d.wantNames("Sheet1", "a", "b", "c")
		second := d.collect(named("d", "b"))
		d.arrives(second)
		d.wantNames("Sheet1", "d", "b")
		if tabs := d.book.Tabs(); len(tabs) != 1 {
			t.Errorf("tabs %v were left", tabs)
		}
		d.arrives(d.collect(nil))
		if rows := d.book.Rows("Sheet1"); len(rows) != 1 {
			t.Errorf("a run without results leaves %v", rows)
		}
	})
}

func TestSheetIsAddedTo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		d := newDesk(t, e, nil)
		d.to(map[string]any{"append": true})
		d.arrives(d.collect(named("a", "b")))
		second := d.collect(named("b", "c", "a", "d"))
		if got := d.arrives(second); got.Detail != "2 rows written, 2 there already" {
			t.Errorf("detail %q", got.Detail)
		}
		d.wantNames("Sheet1", "a", "b", "c", "d")
		if _, err := d.Store.Redeliver(t.Context(), d.Workspace, d.log(second.ID)[0].ID); err != nil {
			t.Fatal(err)
		}
		if got := d.arrives(second); got.Detail != "0 rows written, 4 there already" {
			t.Errorf("sent again: %q", got.Detail)
		}
		d.wantNames("Sheet1", "a", "b", "c", "d")
	})
}

// TestSheetOfPeople: what people make of a sheet that is added to stays theirs.
func TestSheetOfPeople(t *testing.T) {
	d := newDesk(t, storetest.SQLite(t), nil)
	d.to(map[string]any{"append": true})
	// Their own order, other capitals, a column between, one without a name, and
	// a column of formulas that is filled in ahead.
	d.book.Put("Sheet1", 0, 0, texts("Price", "status", "ID", "name", "done"), texts("", "", "", "by hand", ""), texts("", "", "", "", ""))
	d.book.Put("Sheet1", 0, 6, texts("", "left"), texts("", "alone"))
	for i := range 40 {
		d.book.Put("Sheet1", 1+i, 4, []any{sheetstest.Formula("=A2>1")})
	}
	d.arrives(d.collect(named("a", "b")))
	rows := d.book.Rows("Sheet1")
	if diff := cmp.Diff([]any{"Price", "status", "ID", "name", "done", nil, nil, "left", "squid", "run", "task", "scraping_time"}, rows[0]); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if got := column(t, rows, "name")[:4]; !slices.Equal(got, []any{"by hand", "a", "b", nil}) {
		t.Errorf("names %v", got)
	}
	if rows[1][7] != "alone" || rows[2][0] != 1.5 || rows[2][4] != sheetstest.Formula("=A2>1") || len(rows) != 41 {
		t.Errorf("their cells: %v, %v of %d", rows[1], rows[2], len(rows))
	}
	// They sort, take a row away, move a column and add a row of their own.
	d.book.Edit("Sheet1", func(rows [][]any) [][]any {
		for i, r := range rows {
			rows[i] = append(append([]any{}, r...), make([]any, 12-len(r))...)
			rows[i][0], rows[i][3] = rows[i][3], rows[i][0]
		}
		rows[1], rows[3] = rows[3], rows[1] // b, a, by hand
		rows[4][0] = "also by hand"
		return append(rows[:2], rows[3:]...)
	})
	d.arrives(d.collect(named("b", "c")))
	if got := column(t, d.book.Rows("Sheet1"), "name")[:6]; !slices.Equal(got, []any{"b", "by hand", "also by hand", "c", nil, nil}) {
		t.Errorf("after their changes: %v", got)
	}
	// The crawler has a new field.
	d.fields = append(d.fields, "rating")
	d.arrives(d.collect([]shoal.Row{row("e", `{"name":"e","rating":5}`)}))
	if got := column(t, d.book.Rows("Sheet1"), "rating")[4]; got != 5.0 || d.book.Rows("Sheet1")[0][12] != "rating" {
		t.Errorf("rating %v, header %v", got, d.book.Rows("Sheet1")[0])
	}
}

// TestSheetCells: numbers are numbers, what looks like a formula is text, and
// what does not fit is cut and told of.
func TestSheetCells(t *testing.T) {
	d := newDesk(t, storetest.SQLite(t), nil)
	d.fields = []string{"a", "b", "c", "d", "e", "f"}
	d.to(nil)
	long := strings.Repeat("é😀", 20_000) // 60,000 UTF-16 units
	fits := strings.Repeat("😀", 25_000)
	encoded, err := json.Marshal(map[string]any{"a": long, "b": fits, "c": "=IMPORTXML(\"x\")", "d": "+1", "e": "'quoted", "f": "line\nbreak <&>"})
	if err != nil {
		t.Fatal(err)
	}
	run := d.collect([]shoal.Row{
		row("1", `{"a":"007","b":12345678901234567890,"c":-1.25e3,"d":true,"e":null,"f":{"x":[1,"two"]}}`),
		row("2", string(encoded)),
		row("4", `{"a":"lone \ud800 half","b":"\u003c\ud83d\ude00","c":"\\u0041"}`),
		row("3", `{"a":1e400,"b":100000000000000000000,"c":"nul\u0000bell\u0007","d":[],"e":"","f":0.1}`),
	})
	got := d.arrives(run)
	if got.Detail != "4 rows written. CUT at 50,000 characters: 1 cells" {
		t.Errorf("detail %q", got.Detail)
	}
	rows := d.book.Rows("Sheet1")
	if diff := cmp.Diff([]any{"007", "12345678901234567890", -1250.0, true, nil, `{"x":[1,"two"]}`}, rows[1][:6]); diff != "" {
		t.Errorf("row 1 (-want +got):\n%s", diff)
	}
	if a := rows[2][0].(string); !strings.HasSuffix(a, "…cut: a cell holds 50,000 characters]") || !strings.HasPrefix(long, a[:49_000]) {
		t.Errorf("the long cell ends %q", a[len(a)-60:])
	}
	if diff := cmp.Diff([]any{fits, "=IMPORTXML(\"x\")", "+1", "'quoted", "line\nbreak <&>"}, rows[2][1:6]); diff != "" {
		t.Errorf("row 2 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"lone \uFFFD half", "<😀", `\u0041`}, rows[3][:3]); diff != "" {
		t.Errorf("escapes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"1e400", 1e20, "nul\uFFFDbell\uFFFD", "[]", nil, 0.1}, rows[4][:6]); diff != "" {
		t.Errorf("row 3 (-want +got):\n%s", diff)
	}
}

// TestSheetTabs: the tab is the one named, the one of the address, or the first.
func TestSheetTabs(t *testing.T) {
	for _, add := range []bool{false, true} {
		t.Run(fmt.Sprint("append ", add), func(t *testing.T) {
			d := newDesk(t, storetest.SQLite(t), nil)
			gid := d.book.AddTab("It's 100% A!B", 3, 2)
			d.to(map[string]any{"append": add, "sheet": "it's 100% a!b"})
			d.arrives(d.collect(named("a", "b", "c", "d", "e")))
			d.wantNames("It's 100% A!B", "a", "b", "c", "d", "e")
			d.to(map[string]any{"append": add, "url": fmt.Sprintf("https://docs.google.com/spreadsheets/u/1/d/%s/edit#gid=%d", d.book.ID, gid)})
			d.arrives(d.collect(named("f")))
			if names := column(t, d.book.Rows("It's 100% A!B"), "name"); names[len(names)-1] != "f" {
				t.Errorf("names %v", names)
			}
			d.to(map[string]any{"append": add, "sheet": "New: one"})
			run := d.collect(named("g"))
			d.arrives(run)
			d.wantNames("New: one", "g")
			if rows := d.book.Rows("Sheet1"); len(rows) != 0 {
				t.Errorf("the first tab has %v", rows)
			}
			d.to(map[string]any{"append": add, "url": d.book.URL() + "9999"})
			if got := d.send(d.collect(nil)); got.Status != shoal.DeliveryFailed || !strings.Contains(got.Detail, "no tab with the number") {
				t.Errorf("%s %q", got.Status, got.Detail)
			}
			if slices.ContainsFunc(d.book.Tabs(), func(s string) bool { return strings.HasPrefix(s, "(") }) {
				t.Errorf("tabs %v were left", d.book.Tabs())
			}
		})
	}
}

// collectMade is collect for n rows that many(0, n) returns, of which the
// database holds none.
func (d *desk) collectMade(n int) shoal.Run {
	d.t.Helper()
	run := d.collect(nil)
	d.made[run.ID] = n
	return run
}

// made yields n made-up results of the run, as many(0, n).
func made(n int, r *shoal.Run) export.Rows {
	return func(yield func(*shoal.Result, error) bool) {
		for i := range n {
			made := many(i, 1)[0]
			if !yield(&shoal.Result{Digest: made.Key, RunPK: r.PK, RunID: r.ID, SquidID: r.SquidID, TaskID: "t", Data: made.Data, At: r.CreatedAt}, nil) {
				return
			}
		}
	}
}

// TestSheetLimits: what there is no room for is left out, and the log says so.
func TestSheetLimits(t *testing.T) {
	e := storetest.SQLite(t)
	for _, add := range modes {
		d := newDesk(t, e, nil)
		d.fields = []string{"name"}
		d.to(map[string]any{"append": add})
		d.google.Calls()
		run := d.collectMade(100_003)
		got := d.arrives(run)
		if got.Detail != "100,000 rows written. LEFT OUT: 3 rows, as a tab gets at most 100,000" {
			t.Errorf("detail %q", got.Detail)
		}
		if rows := d.book.Rows("Sheet1"); len(rows) != 100_001 || rows[100_000][0] != "row 099999" {
			t.Errorf("%d rows in the sheet", len(rows))
		}
		writes := 0
		for _, c := range d.google.Calls() {
			if c.Bytes > 2<<20 {
				t.Errorf("%s of %d bytes", c.Method, c.Bytes)
			}
			if c.Method == sheetstest.Update || c.Method == sheetstest.BatchUpdate {
				writes++
			}
		}
		if writes > 30 {
			t.Errorf("%d writes", writes)
		}
		if add { // full, and nothing new fits
			if _, err := d.Store.Redeliver(t.Context(), d.Workspace, got.ID); err != nil {
				t.Fatal(err)
			}
			if got := d.send(run); got.Status != shoal.DeliveryFailed || !strings.Contains(got.Detail, "The sheet is full: 3 rows were left out") {
				t.Errorf("again: %s %q", got.Status, got.Detail)
			}
		}
		// The cells of the whole spreadsheet are used up by another tab.
		d = newDesk(t, e, nil)
		d.fields = []string{"name"}
		d.book.AddTab("huge", 9_950_000/100, 100)
		d.to(map[string]any{"append": add})
		if got := d.arrives(d.collectMade(3000)); !strings.Contains(got.Detail, "LEFT OUT") || !strings.Contains(got.Detail, "a spreadsheet holds 10,000,000 cells") {
			t.Errorf("detail %q", got.Detail)
		}
		d.book.AddTab("rest", 1, 49_000)
		d.to(map[string]any{"append": false, "sheet": "new"})
		if got := d.send(d.collectMade(3000)); got.Status != shoal.DeliveryFailed || !strings.Contains(got.Detail, "has no room") && !strings.Contains(got.Detail, "full") {
			t.Errorf("no room: %s %q", got.Status, got.Detail)
		}
	}
}

// TestSheetMemory: what a delivery needs does not grow with its rows. (A sheet
// that is added to has its ids in memory besides, 100,000 at most.)
func TestSheetMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	e := storetest.SQLite(t)
	peak := map[int]uint64{}
	for _, n := range []int{10_000, 100_000} {
		d := newDesk(t, e, nil)
		d.book.Forget()
		d.to(nil)
		run := d.collectMade(n)
		runtime.GC()
		stop, top := make(chan struct{}), make(chan uint64)
		go func() { top <- largestHeap(stop) }()
		began := time.Now()
		d.arrives(run)
		took := time.Since(began)
		close(stop)
		peak[n] = <-top
		t.Logf("%d rows in %s, largest heap %.1f MB", n, took.Round(time.Millisecond), float64(peak[n])/1e6)
	}
	if more := int64(peak[100_000]) - int64(peak[10_000]); more > 20_000_000 {
		t.Errorf("90,000 rows more need %d bytes more", more)
	}
}

// largestHeap looks at the heap until stop is closed.
func largestHeap(stop chan struct{}) (most uint64) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
		select {
		case <-tick.C:
		case <-stop:
			return most
		}
	}
}
