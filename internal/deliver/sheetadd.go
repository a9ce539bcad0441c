package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shoal"
)

const (
	// maxSheetRows is how many rows of results a tab gets.
	maxSheetRows = 100_000
	// A request has no more rows and bytes than that: Google advises 2 MB.
	maxSheetBatch = 5000
	maxBatch      = 1_500_000
)

// adding adds the run's rows below those of a tab. A row is known by its id; of
// two runs' rows with one key the first stays. Columns are found by their names
// in the first row, so that people may move them and have their own between.
type adding struct {
	*sheetJob
	cells *cellWriter
	first int     // the leftmost column that is ours
	spans []span  // our columns
	id    int     // the column of the ids
	runOf int     // that of the runs
	runs  []int64 // the keys of the squid's runs that have rows in the tab, this one among them

	known map[rowID]struct{} // what is in the tab or in the batch
	next  int                // the row to write to
	last  string             // the id in the row above it; "": it has none
	fresh bool               // that is as just read

	batch sheetBatch
	fit   int
}

// rowID is a result's id.
type rowID [32]byte

// span are adjacent columns.
type span struct{ first, last int }

// sheetBatch are rows on their way.
type sheetBatch struct {
	ids  []rowID
	rows [][]byte
	size int
}

func (b *sheetBatch) add(id rowID, row []byte) {
	b.ids, b.rows, b.size = append(b.ids, id), append(b.rows, row), b.size+len(row)+1
}

func (b *sheetBatch) full() bool { return b.size >= maxBatch || len(b.rows) >= maxSheetBatch }

// add is a delivery with append.
func (j *sheetJob) add(ctx context.Context, w *cellWriter) error {
	if j.tab == nil {
		t := newTab(j.config.Tab, 1000, max(26, len(w.names)))
		if err := j.api.update(ctx, addTab(t, false)); err != nil {
			return err
		}
		j.tab = t
	}
	a := &adding{sheetJob: j, cells: w}
	if err := a.place(ctx); err != nil {
		return err
	}
	if err := a.load(ctx); err != nil {
		return err
	}
	a.fit = a.sheetJob.fit(a.first+w.width, false)
	for r, err := range j.rows(ctx, j.run) {
		if err != nil {
			return fmt.Errorf("read the run's rows: %w", err)
		}
		if err := a.take(ctx, r); err != nil {
			return err
		}
	}
	if err := a.flush(ctx); err != nil {
		return err
	}
	return j.full()
}

// take adds one row, unless it is there.
func (a *adding) take(ctx context.Context, r *shoal.Result) error {
	if a.has(r) {
		a.report.known++
		return nil
	}
	if a.next+len(a.batch.rows) >= a.fit {
		a.leave(a.fit)
		return nil
	}
	row, err := a.cells.row(r)
	if err != nil {
		return settled("%s", err)
	}
	id := rowID([]byte(r.ID()))
	a.known[id] = struct{}{}
	a.batch.add(id, row)
	if a.batch.full() {
		return a.flush(ctx)
	}
	return nil
}

// has reports whether a row with the key is in the tab, from whichever run of
// the squid: an id is made of the run and the key.
func (a *adding) has(r *shoal.Result) bool {
	var id rowID
	for _, run := range a.runs {
		shoal.AppendResultID(id[:0], run, r.Digest)
		if _, ok := a.known[id]; ok {
			return true
		}
	}
	return false
}

// place finds the columns by their names, and adds those that are missing
// behind everything that is there.
func (a *adding) place(ctx context.Context) error {
	header, err := a.api.header(ctx, a.tab)
	if err != nil {
		return err
	}
	places, missing := match(header, a.cells.names)
	if len(missing) > 0 {
		at, err := a.free(ctx, len(header))
		if err != nil {
			return err
		}
		if err := a.api.grow(ctx, a.tab, 1, at+len(missing)); err != nil {
			return err
		}
		names := make([]string, len(missing))
		for i, m := range missing {
			places[m], names[i] = at+i, a.cells.names[m]
		}
		if err := a.api.write(ctx, a.tab, 0, at, len(missing), [][]byte{headerRow(names)}); err != nil {
			return err
		}
	}
	members := places[len(places)-len(sheetMembers):]
	a.id, a.runOf = members[slices.Index(sheetMembers, "id")], members[slices.Index(sheetMembers, "run")]
	a.first = slices.Min(places)
	a.spans = spansOf(places)
	a.cells.width = slices.Max(places) - a.first + 1
	for i := range places {
		places[i] -= a.first
	}
	a.cells.place = places
	return nil
}

// match returns which column of the header has each name, and the names that
// none has. People capitalize: the case decides only where both are there.
func match(header, names []string) (places, missing []int) {
	taken := make([]bool, len(header))
	places = make([]int, len(names))
	for i := range places {
		places[i] = -1
	}
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for i, name := range names {
			for c, title := range header {
				if places[i] < 0 && !taken[c] && same(title, name) {
					places[i], taken[c] = c, true
				}
			}
		}
	}
	for i, c := range places {
		if c < 0 {
			missing = append(missing, i)
		}
	}
	return places, missing
}

// free is the first column from which on there is nothing, also below the header.
func (a *adding) free(ctx context.Context, from int) (int, error) {
	if from >= a.tab.Grid.Columns {
		return from, nil
	}
	at := from
	err := a.api.columns(ctx, a.tab, 0, []span{{from, a.tab.Grid.Columns - 1}}, func(_, across, _ int, _ string) { at = max(at, from+across+1) })
	if errors.Is(err, errSheetAnswer) {
		return a.tab.Grid.Columns, nil
	}
	return at, err
}

// spansOf joins columns that are adjacent.
func spansOf(columns []int) []span {
	sorted := slices.Sorted(slices.Values(columns))
	var all []span
	for _, c := range sorted {
		if n := len(all); n > 0 && all[n-1].last == c-1 {
			all[n-1].last = c
		} else {
			all = append(all, span{c, c})
		}
	}
	return all
}

// load reads which rows are there, and where they end.
func (a *adding) load(ctx context.Context) error {
	a.known, a.last, a.next = map[rowID]struct{}{}, "", 1
	runs := map[string]struct{}{}
	err := a.api.columns(ctx, a.tab, 1, []span{{a.id, a.id}, {a.runOf, a.runOf}}, func(which, _, down int, text string) {
		switch {
		case which == 1 && len(runs) < maxSheetRows:
			runs[text] = struct{}{}
		case which == 0:
			if len(text) == len(rowID{}) && len(a.known) <= maxSheetRows {
				a.known[rowID([]byte(text))] = struct{}{}
			}
			a.next, a.last = down+2, text
		}
	})
	if err != nil {
		return err
	}
	if err := a.findRuns(ctx, runs); err != nil {
		return err
	}
	below := -1
	err = a.api.columns(ctx, a.tab, a.next, a.spans, func(_, _, down int, _ string) { below = max(below, down) })
	if below >= 0 { // what people wrote there stays
		a.next, a.last = a.next+below+1, ""
	}
	a.fresh = true
	return err
}

// findRuns keeps those of the runs in the tab that are the squid's.
func (a *adding) findRuns(ctx context.Context, ids map[string]struct{}) error {
	a.runs = []int64{a.run.PK}
	for id := range ids {
		r, err := a.store.RunByID(ctx, shoal.RunID(id))
		if errors.Is(err, shoal.ErrRunNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read a run whose rows are in the sheet: %w", err)
		}
		if r.WorkspaceID == a.run.WorkspaceID && r.SquidPK == a.run.SquidPK && r.PK != a.run.PK {
			a.runs = append(a.runs, r.PK)
		}
	}
	return nil
}

// flush writes the batch.
func (a *adding) flush(ctx context.Context) error {
	if !a.fresh && len(a.batch.rows) > 0 {
		if err := a.lookAgain(ctx); err != nil {
			return err
		}
	}
	n := len(a.batch.rows)
	if n == 0 {
		return nil
	}
	if err := a.api.grow(ctx, a.tab, ahead(a.tab, a.next, n, a.fit), 0); err != nil {
		return err
	}
	if err := a.api.write(ctx, a.tab, a.next, a.first, a.cells.width, a.batch.rows); err != nil {
		return err
	}
	last := a.batch.ids[n-1]
	a.next, a.last, a.fresh = a.next+n, string(last[:]), false
	a.report.written += n
	a.batch = sheetBatch{}
	return nil
}

// lookAgain makes sure that the rows end where they did: people may sort, add
// and delete rows meanwhile, and none of theirs may be written over.
func (a *adding) lookAgain(ctx context.Context) error {
	last, below := "", false
	which := append([]span{{a.id, a.id}}, a.spans...)
	err := a.api.columns(ctx, a.tab, a.next-1, which, func(at, _, down int, text string) {
		if at == 0 && down == 0 {
			last = text
		}
		below = below || down > 0
	})
	if err == nil && last == a.last && !below {
		return nil
	}
	if err != nil && !rangeGone(err) {
		return err
	}
	if err := a.look(ctx); err != nil {
		return err
	}
	if a.tab == nil {
		return errors.New("the tab was deleted while rows were written to it")
	}
	batch, spans, first := a.batch, a.spans, a.first
	if err := a.place(ctx); err != nil {
		return err
	}
	if a.first != first || !slices.Equal(a.spans, spans) {
		return errors.New("columns of the tab were moved while rows were written to it")
	}
	if err := a.load(ctx); err != nil {
		return err
	}
	a.batch = sheetBatch{}
	for i, id := range batch.ids {
		if _, there := a.known[id]; !there {
			a.known[id] = struct{}{}
			a.batch.add(id, batch.rows[i])
		}
	}
	return nil
}

// rangeGone reports whether a range is outside of the tab as it now is.
func rangeGone(err error) bool {
	refused, ok := errors.AsType[*sheetError](err)
	return ok && refused.code == 400
}
