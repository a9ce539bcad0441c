package export

import (
	"context"

	"shoal"
)

// Source reads results by key.
type Source interface {
	// ReadResults returns the next rows of q, oldest first: at most q.Limit,
	// those with a key above q.After.
	ReadResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error)
}

// The first batch is small, so that the first byte is early; later ones aim
// at batchBytes, whatever a row weighs. Each batch is one short read: a long
// one would keep SQLite's log from being cut.
const (
	firstBatch = 100
	maxBatch   = 2000
	batchBytes = 1 << 20
)

// Read returns the rows of q from source, batch by batch: while one is used the
// next is read. q.After says where to begin; q.Limit is ignored.
func Read(ctx context.Context, source Source, q shoal.ResultQuery) Rows {
	return func(yield func(*shoal.Result, error) bool) {
		reading, cancel := context.WithCancel(ctx)
		batches := make(chan batch)
		go func() {
			defer close(batches)
			readBatches(reading, source, q, batches)
		}()
		defer func() {
			cancel()
			for range batches { // until the reader has ended
			}
		}()
		for b := range batches {
			if b.err != nil {
				yield(nil, b.err)
				return
			}
			for i := range b.rows {
				if !yield(&b.rows[i], nil) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err) // they may have ended for that
		}
	}
}

type batch struct {
	rows []shoal.Result
	err  error
}

// readBatches sends the rows of q, up to the last or an error.
func readBatches(ctx context.Context, source Source, q shoal.ResultQuery, to chan<- batch) {
	q.Limit = firstBatch
	for {
		rows, err := source.ReadResults(ctx, q)
		select {
		case to <- batch{rows, err}:
		case <-ctx.Done():
			return
		}
		if err != nil || len(rows) < q.Limit {
			return
		}
		size := 0
		for i := range rows {
			size += len(rows[i].Data)
		}
		q.After = rows[len(rows)-1].Key
		q.Limit = min(max(batchBytes/(size/len(rows)+1), 1), maxBatch)
	}
}

// Unique leaves out rows whose key occurred in an earlier row: what several
// runs of one squid collected alike. It remembers eight bytes of each key.
func Unique(rows Rows) Rows {
	return func(yield func(*shoal.Result, error) bool) {
		seen := map[[8]byte]struct{}{}
		for r, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			key := [8]byte(r.Digest[:8])
			if _, dup := seen[key]; dup {
				continue
			}
			seen[key] = struct{}{}
			if !yield(r, nil) {
				return
			}
		}
	}
}
