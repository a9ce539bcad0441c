package store

import (
	"context"
	"fmt"

	"shoal"
)

const deadRuns = `SELECT first_seq, last_seq FROM runs
	WHERE squid_pk = $1 AND deleted_at > 0 AND last_seq > first_seq ORDER BY pk`

// resultList is the squid's list of results.
func (t *tally) resultList(ctx context.Context, q querier) (dense, error) {
	d := dense{list: resultList, table: "results", squidPK: t.pk, floor: t.resultFloor, top: t.nextSeq}
	if err := d.look(ctx, q); err != nil || !d.gapped {
		return d, err
	}
	// Only a deleted run's results are gone and yet stored, and they are gaps.
	var err error
	d.dead, err = collect(ctx, q, func(r scanner) (s span, err error) {
		return s, r.Scan(&s.after, &s.upto)
	}, deadRuns, t.pk)
	if err != nil {
		return d, fmt.Errorf("read deleted runs: %w", err)
	}
	return d, nil
}

// resultColumns are read by scanResult from results p, with the run's and the
// run task's ids.
const resultColumns = `p.key, p.run_pk, r.id, rt.task_id, p.digest, p.at, p.data`

func scanResult(r scanner) (row shoal.Result, err error) {
	var digest []byte
	var at int64
	if err = r.Scan(&row.Key, &row.RunPK, &row.RunID, &row.TaskID, &digest, &at, &row.Data); err != nil {
		return row, err
	}
	row.Digest, row.At = shoal.Digest(digest), fromMicros(at)
	return row, nil
}

// resultScope is the part of a squid's results that a query asks for.
type resultScope struct {
	list  dense
	in    span
	squid shoal.SquidID
	// parts are the run tasks whose rows are asked for, oldest run first; nil: all rows of in.
	task  shoal.TaskID
	parts []taskPart
}

// scope finds out what q asks for; count as in scopeTask.
func (s *Store) scope(ctx context.Context, q shoal.ResultQuery, count bool) (sc resultScope, err error) {
	if (q.Squid == "") == (q.Run == "") {
		return sc, shoal.Invalid("ParamsInvalid", "squid,run", "Give either squid or run, and not both")
	}
	var run *shoal.Run
	sc.squid = q.Squid
	if q.Run != "" {
		r, err := s.Run(ctx, q.Workspace, q.Run)
		if err != nil {
			return sc, err
		}
		run, sc.squid = &r, r.SquidID
	}
	t, err := s.tally(ctx, s.read, "", q.Workspace, sc.squid)
	if err != nil {
		return sc, err
	}
	if sc.list, err = t.resultList(ctx, s.read); err != nil {
		return sc, err
	}
	sc.in = sc.list.all()
	if run != nil {
		// The squid may have been read later than the run, never the other way
		// round: a run's rows end where its own counter says.
		sc.in = span{max(run.FirstSeq, sc.in.after), min(run.LastSeq, sc.in.upto)}
	}
	if q.Task != "" {
		sc.task = q.Task
		err = s.scopeTask(ctx, &sc, t.pk, run, count)
	}
	return sc, err
}

// Results returns one page of the results of q.Squid or q.Run, oldest first.
// Page 10,000 costs what page 1 costs.
func (s *Store) Results(ctx context.Context, q shoal.ResultQuery, w shoal.Window) (shoal.Listing[shoal.Result], error) {
	l, err := s.results(ctx, q, w)
	if err != nil {
		return l, fmt.Errorf("list results: %w", err)
	}
	return l, nil
}

func (s *Store) results(ctx context.Context, q shoal.ResultQuery, w shoal.Window) (l shoal.Listing[shoal.Result], err error) {
	sc, err := s.scope(ctx, q, true)
	if err != nil {
		return l, err
	}
	if sc.parts != nil {
		return s.taskResults(ctx, &sc, w)
	}
	if l.Total, err = sc.list.count(ctx, s.read, sc.in); err != nil || l.Total == 0 {
		return l, err
	}
	before, err := sc.list.count(ctx, s.read, span{sc.list.floor, sc.in.after})
	if err != nil {
		return l, err
	}
	skipped := skip(w, l.Total)
	if skipped == l.Total {
		return l, nil
	}
	from, err := sc.list.find(ctx, s.read, before+skipped+1)
	if err != nil {
		return l, err
	}
	l.Items, err = s.readSpan(ctx, &sc, span{from - 1, sc.in.upto}, w.Limit)
	return l, err
}

// ReadResults returns the next rows of q (keyset).
func (s *Store) ReadResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error) {
	sc, err := s.scope(ctx, q, false)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	// A key of another squid lies before or behind all of this one's.
	in := sc.in
	first, last := keyOf(sc.list.squidPK, in.after), keyOf(sc.list.squidPK, in.upto)
	if q.After > first {
		in.after = seqOf(min(q.After, last))
	}
	if q.Upto > 0 && q.Upto < last {
		in.upto = seqOf(max(q.Upto, first))
	}
	var rows []shoal.Result
	if sc.parts != nil {
		rows, err = s.readParts(ctx, &sc, in, q.Limit, 0)
	} else {
		rows, err = s.readSpan(ctx, &sc, in, q.Limit)
	}
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return rows, nil
}
