package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shoal/internal/jobs"
	"shoal/internal/pgtest"
)

// noJobs enqueues nothing: these tests look at lists alone.
type noJobs struct{}

func (noJobs) Insert(context.Context, *sql.Tx, ...jobs.Job) error { return nil }
func (noJobs) Kick()                                              {}

// eachStore runs f on a bare store of each database.
func eachStore(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Helper()
	for _, d := range []Dialect{SQLite, Postgres} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			o := Options{DataDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
			if d == Postgres {
				o.DatabaseURL = pgtest.Database(t)
			}
			f(t, bareStore(t, o))
		})
	}
}

func bareStore(t testing.TB, o Options) *Store {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	db, err := OpenDB(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	return New(db, noJobs{})
}

// insertResultRange stores bare result rows with the sequence numbers of in.
func insertResultRange(t testing.TB, s *Store, squidPK int64, in span) {
	t.Helper()
	rows := bulk{text: `INSERT INTO results (key, run_pk, task_seq, digest, at, data) {rows}`,
		types: []string{"bigint", "bigint", "bigint", "bytea", "bigint", "text"}}
	err := s.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return s.execBulk(ctx, tx, &rows, int(in.upto-in.after), func(i int, args []any) {
			seq := in.after + int64(i) + 1
			copy(args, []any{keyOf(squidPK, seq), seq, int64(1), []byte("digest"), int64(0), "{}"})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// model is what a dense list must agree with: the living numbers, ascending.
type model struct {
	s      *Store
	d      dense
	living []int64
}

// lose removes single rows, spans of them are given up and left to be removed later.
func (m *model) lose(t *testing.T, seqs []int64) {
	t.Helper()
	err := m.s.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		for _, seq := range seqs {
			if _, err := tx.ExecContext(ctx, `DELETE FROM results WHERE key = $1`, keyOf(m.d.squidPK, seq)); err != nil {
				return err
			}
		}
		return m.s.lose(ctx, tx, m.d.squidPK, m.d.list, seqs)
	})
	if err != nil {
		t.Fatal(err)
	}
	gone := map[int64]bool{}
	for _, seq := range seqs {
		gone[seq] = true
	}
	m.living = slices.DeleteFunc(m.living, func(seq int64) bool { return gone[seq] })
}

func (m *model) loseSpan(t *testing.T, lost span, stored bool) {
	t.Helper()
	if err := m.d.look(t.Context(), m.s.read); err != nil {
		t.Fatal(err)
	}
	err := m.s.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return m.s.loseSpan(ctx, tx, &m.d, lost)
	})
	if err != nil {
		t.Fatal(err)
	}
	m.living = slices.DeleteFunc(m.living, func(seq int64) bool { return seq > lost.after && seq <= lost.upto })
	if stored {
		m.d.dead = append(m.d.dead, lost)
		slices.SortFunc(m.d.dead, func(a, b span) int { return int(a.after - b.after) })
	}
}

// check compares the list with the model: its length, that of random parts,
// and the rows at the ends, at random places and around every kind of border.
func (m *model) check(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	ctx := t.Context()
	if err := m.d.look(ctx, m.s.read); err != nil {
		t.Fatal(err)
	}
	n := int64(len(m.living))
	if got, err := m.d.count(ctx, m.s.read, m.d.all()); err != nil || got != n {
		t.Fatalf("count %d, %v; want %d", got, err, n)
	}
	for range 20 {
		in := span{rnd.Int64N(m.d.top), rnd.Int64N(m.d.top + 1)}
		from, _ := slices.BinarySearch(m.living, in.after+1)
		upto, _ := slices.BinarySearch(m.living, in.upto+1)
		want := max(0, int64(upto-from))
		if got, err := m.d.count(ctx, m.s.read, in); err != nil || got != want {
			t.Fatalf("count of %v: %d, %v; want %d", in, got, err, want)
		}
	}
	places := []int64{1, n}
	for range 40 {
		places = append(places, 1+rnd.Int64N(n))
	}
	for _, place := range places {
		if got, err := m.d.find(ctx, m.s.read, place); err != nil || got != m.living[place-1] {
			t.Fatalf("row %d of %d: %d, %v; want %d", place, n, got, err, m.living[place-1])
		}
	}
}

// A list over more than two of the topmost blocks, most of them lost, agrees
// with a model through random losses.
func TestDenseListFindsEveryRow(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		const top = 2_300_500
		rnd := rand.New(rand.NewPCG(1, 2))
		m := &model{s: s, d: dense{list: resultList, table: "results", squidPK: 7, top: top}}
		// Living rows in islands at awkward places; the sea between is lost at once.
		islands := []span{{0, 2500}, {31_990, 32_010}, {500_000, 503_123}, {1_023_500, 1_024_500}, {1_999_999, 2_001_000}, {2_299_000, top}}
		for _, in := range islands {
			insertResultRange(t, s, 7, in)
		}
		for seq := range int64(top) {
			m.living = append(m.living, seq+1)
		}
		for i := 1; i < len(islands); i++ {
			m.loseSpan(t, span{islands[i-1].upto, islands[i].after}, false)
		}
		m.check(t, rnd)
		for range 8 {
			if rnd.IntN(4) == 0 {
				at := rnd.IntN(len(m.living) - 400)
				m.loseSpan(t, span{m.living[at], m.living[at+rnd.IntN(400)]}, true)
			} else {
				var seqs []int64
				for _, i := range rnd.Perm(len(m.living))[:rnd.IntN(300)] {
					seqs = append(seqs, m.living[i])
				}
				m.lose(t, seqs)
			}
			m.check(t, rnd)
		}
	})
}

// A list with a floor counts nothing of what lies below, whatever is still
// stored there and however much of it the purge has taken.
func TestDenseListAboveFloor(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		const floor, top = 1500, 3700
		rnd := rand.New(rand.NewPCG(3, 4))
		m := &model{s: s, d: dense{list: resultList, table: "results", squidPK: 7, floor: floor, top: top}}
		insertResultRange(t, s, 7, span{0, top})
		for seq := int64(floor + 1); seq <= top; seq++ {
			m.living = append(m.living, seq)
		}
		for range 6 {
			m.check(t, rnd)
			var seqs []int64
			for _, i := range rnd.Perm(len(m.living))[:100] {
				seqs = append(seqs, m.living[i])
			}
			m.lose(t, seqs)
			if _, err := s.db.write.ExecContext(t.Context(), `DELETE FROM results WHERE key <= $1`, keyOf(7, rnd.Int64N(floor))); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// plan returns how the database would run a query. PostgreSQL is told not to
// prefer whole scans, as it rightly does on the small tables of a test.
func plan(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	conn, err := s.read.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	explain := "EXPLAIN QUERY PLAN "
	if s.db.dialect == Postgres {
		explain = "EXPLAIN "
		if _, err := conn.ExecContext(t.Context(), `SET enable_seqscan = off`); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := conn.QueryContext(t.Context(), explain+query, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var line string
		var skip any
		dest := []any{&skip, &skip, &skip, &line}
		if s.db.dialect == Postgres {
			dest = dest[3:]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hotQuery is a query whose plan is checked.
type hotQuery struct {
	text string
	args []any
	// want are the ways in which SQLite must find rows. PostgreSQL chooses by
	// what tables hold, here nothing: of it only whole scans are refused.
	want []string
	// sorts allows a sort: of a bounded number of rows.
	sorts bool
}

// The queries of lists that people wait for read indexes in order: no table is
// read whole, and nothing but a page of rows is ever sorted.
func TestPlansOfHotQueries(t *testing.T) {
	const id = "00000000000000000000000000000001"
	lastRunTask := "rt USING INDEX run_tasks_task (run_pk=? AND task_id=?)"
	queries := map[string]hotQuery{
		"tally":        {text: tallyQuery, args: []any{id, id}, want: []string{"s USING INDEX sqlite_autoindex_squids_1 (id=?)"}},
		"results":      {text: resultPage, args: []any{1, 2, 50}, want: []string{"results USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"}},
		"ids of tasks": {text: taskSpan, args: []any{1, 2, 3}, want: []string{"run_tasks USING PRIMARY KEY (run_pk=? AND seq>? AND seq<?)"}},
		"task results": {text: partPage, args: []any{1, 2, 3, 4, 50, 1, 2, 50, 0}, sorts: true, want: []string{
			"results USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
			"result_links USING PRIMARY KEY (run_pk=? AND task_seq=? AND key>? AND key<?)"}},
		"cursor":       {text: cursorQuery, args: []any{1, "c"}, want: []string{"cursors USING PRIMARY KEY (squid_pk=? AND name=?)"}},
		"cursors":      {text: cursorPage, args: []any{1, 50, 0}, want: []string{"cursors USING PRIMARY KEY (squid_pk=?)"}},
		"results at":   {text: resultsAt(2), args: []any{1, 2}, want: []string{"p USING INTEGER PRIMARY KEY (rowid=?)", "rt USING PRIMARY KEY (run_pk=? AND seq=?)"}},
		"run lacks":    {text: runLacks, args: []any{1, 2}, want: []string{"run_tasks USING PRIMARY KEY (run_pk=?)"}},
		"versions":     {text: resultVersions, args: []any{1}, sorts: true, want: []string{"runs USING INDEX runs_of_squid (squid_pk=?)"}},
		"complete run": {text: completeRun, args: []any{1, 2}, want: []string{"runs USING INDEX runs_of_squid (squid_pk=? AND pk<?)"}},
		"ended run":    {text: endedRun, args: []any{1, 2}, want: []string{"runs USING INDEX runs_of_squid (squid_pk=? AND pk<?)"}},
		"row's mark":   {text: rowOfMark, args: []any{1}, want: []string{"results USING INTEGER PRIMARY KEY (rowid=?)"}},
		"gaps":         {text: gapSum, args: []any{resultList, 1, 2, 3, 4}, want: []string{"gaps USING PRIMARY KEY (list=? AND squid_pk=? AND level=? AND block>? AND block<?)"}},
		"tasks":        {text: taskPage(""), args: []any{1, 2, 50}, want: []string{"tasks USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", lastRunTask}},
		"url tasks": {text: taskPage(" AND squid_pk = 1 AND has_url = TRUE"), args: []any{1, 2, 50}, want: []string{
			"tasks USING INDEX tasks_type (squid_pk=? AND has_url=? AND key>? AND key<?)", lastRunTask}},
		"task":      {text: taskQuery, args: []any{id, id}, want: []string{"t USING INDEX sqlite_autoindex_tasks_1 (id=?)", lastRunTask}},
		"key":       {text: keyQuery, args: []any{[]byte("hash")}, want: []string{"k USING INDEX sqlite_autoindex_api_keys_2 (hash=?)"}},
		"run tasks": {text: runTaskPage, args: []any{1, 2, 50}, want: []string{"rt USING PRIMARY KEY (run_pk=? AND seq<?)"}},
		"run log":   {text: logPage, args: []any{1, 2, 50}, want: []string{"run_events USING PRIMARY KEY (run_pk=? AND seq<?)"}},
		"timeline": {text: timelinePage, args: []any{1, 50, 0}, want: []string{
			"run_events USING PRIMARY KEY (run_pk=? AND seq=?)",
			"run_events USING COVERING INDEX run_events_notable (run_pk=? AND kind=?)"}},
		"events": {text: eventsOfKind, args: []any{1, "status", 2, 50},
			want: []string{"run_events USING PRIMARY KEY (run_pk=? AND seq=?)",
				"run_events USING COVERING INDEX run_events_notable (run_pk=? AND kind=? AND seq>?)"}},
		"deleted runs": {text: deadRuns, args: []any{1}, want: []string{"runs USING INDEX runs_deleted (squid_pk=?)"}},
		"active run":   {text: activeRun, args: []any{1}, want: []string{"runs USING INDEX runs_active (squid_pk=?)"}},
		"next due":     {text: nextDue, want: []string{"schedules USING COVERING INDEX schedules_due (due_at>?)"}},
		"due launches": {text: dueLaunches, args: []any{1, 200}, sorts: true, want: []string{
			"schedules USING INDEX schedules_due (due_at>? AND due_at<?)", "q USING INTEGER PRIMARY KEY (rowid=?)"}},
		"waiting launch":     {text: wakeWaiting, args: []any{1, 2}, want: []string{"schedules USING INTEGER PRIMARY KEY (rowid=?)"}},
		"waiting hand-overs": {text: wakeWaitingHandovers, args: []any{1}, want: []string{"handovers USING COVERING INDEX handovers_waiting (target_pk=?)"}},
		"upload":             {text: uploadQuery + ` AND w.id = $2`, args: []any{id, id}},
		"saved answer":       {text: answerQuery, args: []any{id, "POST /v1/runs", "key", 1}},
		"run's credits":      {text: creditsQuery, args: []any{1}, sorts: true, want: []string{"ledger USING INDEX ledger_run (run_pk=?)"}},
	}
	eachStore(t, func(t *testing.T, s *Store) {
		for name, q := range queries {
			got := plan(t, s, q.text, q.args...)
			if fault := q.fault(s.db.dialect, got); fault != "" {
				t.Errorf("%s: %s in\n%s", name, fault, got)
			}
		}
	})
}

// fault says what is wrong with a plan of q, if anything is.
func (q *hotQuery) fault(d Dialect, plan string) string {
	if d == Postgres {
		if strings.Contains(plan, "Seq Scan") {
			return "a whole scan"
		}
		return ""
	}
	if !q.sorts && strings.Contains(plan, "TEMP B-TREE") {
		return "a sort"
	}
	for _, want := range q.want {
		if !strings.Contains(plan, "SEARCH "+want) {
			return "no SEARCH " + want
		}
	}
	for line := range strings.Lines(plan) {
		// What is scanned by an alias is the page that a subquery made.
		page := []string{"p", "k", "t", "g", "own", "linked", "CONSTANT"}
		if words := strings.Fields(line); words[0] == "SCAN" && !slices.Contains(page, words[1]) {
			return "a whole scan"
		}
	}
	return ""
}
