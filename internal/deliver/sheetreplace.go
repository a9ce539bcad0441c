package deliver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"shoal"
)

// cleanTimeout bounds the deletion of what a failed attempt leaves.
const cleanTimeout = 10 * time.Second

// replace makes the tab hold this run's rows and nothing else. They are
// gathered in a hidden tab; then one request, of which Google does all or
// nothing, empties the tab, copies them and deletes the hidden one. Who looks
// sees the former rows or the new ones, also when an attempt breaks off.
func (j *sheetJob) replace(ctx context.Context, w *cellWriter, d *shoal.Delivery) error {
	w.width, w.place = len(w.names), make([]int, len(w.names))
	for i := range w.place {
		w.place[i] = i
	}
	incoming, fit, err := j.prepare(ctx, w.width, d)
	if err != nil {
		return err
	}
	rows, err := j.gather(ctx, w, incoming, fit)
	if err == nil {
		err = j.swap(ctx, incoming, rows, w.width)
	}
	if err != nil && ctx.Err() == nil {
		// The next attempt does it too; nobody need look at it until then.
		steady, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		j.api.patience = 0
		if left := j.api.update(steady, deleteTab(incoming)); left != nil {
			return err
		}
	}
	return err
}

// prepare adds the hidden tab, in place of one that an earlier attempt left,
// and the tab itself if there is none. fit is how many rows there is room for.
func (j *sheetJob) prepare(ctx context.Context, columns int, d *shoal.Delivery) (incoming *tab, fit int, err error) {
	var changes []change
	if j.tab == nil {
		j.tab = newTab(j.config.Tab, 1, columns)
		changes = append(changes, addTab(j.tab, false))
	}
	title := "Shoal incoming " + strconv.FormatInt(j.tab.ID, 10)
	if left := j.book.byTitle(title); left != nil {
		changes = append(changes, deleteTab(left))
		left.Grid.Rows = 0 // its cells are free
	}
	if fit = j.fit(columns, true); fit < 2 {
		return nil, 0, settled("The spreadsheet has no room: it holds %s cells, empty ones of all tabs among them. Delete tabs or empty rows and columns, or give another spreadsheet", grouped(maxBookCells))
	}
	incoming = newTab(title, min(fit, int(min(d.Payload.Results, maxSheetRows))+1), columns)
	return incoming, fit, j.api.update(ctx, append(changes, addTab(incoming, true))...)
}

// gather writes the header and the rows into the hidden tab and returns how many
// rows it then has.
func (j *sheetJob) gather(ctx context.Context, w *cellWriter, incoming *tab, fit int) (rows int, err error) {
	var batch [][]byte
	size := 0
	flush := func() error {
		if err := j.api.grow(ctx, incoming, ahead(incoming, rows, len(batch), fit), 0); err != nil {
			return err
		}
		if err := j.api.write(ctx, incoming, rows, 0, w.width, batch); err != nil {
			return err
		}
		rows, batch, size = rows+len(batch), batch[:0], 0
		return nil
	}
	batch = append(batch, headerRow(w.names))
	for r, err := range j.rows(ctx, j.run) {
		if err != nil {
			return rows, fmt.Errorf("read the run's rows: %w", err)
		}
		if rows+len(batch) >= fit {
			j.leave(fit)
			continue
		}
		row, err := w.row(r)
		if err != nil {
			return rows, settled("%s", err)
		}
		j.report.written++
		batch, size = append(batch, row), size+len(row)+1
		if size >= maxBatch || len(batch) >= maxSheetBatch {
			if err := flush(); err != nil {
				return rows, err
			}
		}
	}
	if err := flush(); err != nil {
		return rows, err
	}
	return rows, j.full()
}

func headerRow(names []string) []byte {
	b := []byte{'['}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, name)
	}
	return append(b, ']')
}

// swap puts what was gathered in the place of what is in the tab.
func (j *sheetJob) swap(ctx context.Context, incoming *tab, rows, columns int) error {
	// Who uses the sheet may have changed its size meanwhile.
	now, err := j.api.book(ctx)
	if err != nil {
		return err
	}
	to := now.byID(j.tab.ID)
	if to == nil {
		return errors.New("the tab was deleted while rows were brought to it")
	}
	changes := append(growth(to, rows, columns), clearTab(to), copyValues(incoming, to, rows, columns), deleteTab(incoming))
	err = j.api.update(ctx, changes...)
	if refused, ok := errors.AsType[*sheetError](err); err == nil || ctx.Err() != nil || ok && refused.code < 500 {
		return err
	}
	// The answer may have been lost, not the request.
	if after, lookErr := j.api.book(ctx); lookErr == nil && after.byID(incoming.ID) == nil {
		return nil
	}
	return err
}
