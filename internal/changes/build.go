package changes

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"shoal"
)

// partRows is how many rows of a run a part has on average: some 12 MB while it
// is joined. maxParts bounds what the parts' buffers take.
const (
	partRows = 1 << 17
	maxParts = 256
)

// Batches of rows, as large as they may be without keeping the database busy.
const (
	scanFirst = 200
	scanMost  = 2000
	scanBytes = 1 << 20
)

// builder compares two runs: it reads both once in the order of their
// collection, divides what it keeps of each row (its identity, place and a hash
// of its content, 32 bytes) by identity into parts on disk, joins one part after
// the other in memory, and puts what came out in order again. It takes time in
// proportion to the rows and memory for one part.
type builder struct {
	source Source
	dir    string
	rows   int64 // of a part
	hasher hasher
	out    *Comparison
}

func (b *builder) build(ctx context.Context, older, newer *shoal.Run) (err error) {
	was, is := int64(0), newer.UniqueResults
	if older != nil {
		was = older.UniqueResults
	}
	if err := b.lacks(ctx, older, newer); err != nil {
		return err
	}
	n := int(min(maxParts, max(was, is)/b.rows+1))
	before, err := b.scan(ctx, older, n)
	if err != nil {
		return err
	}
	defer before.file.Close()
	after, err := b.scan(ctx, newer, n)
	if err != nil {
		return err
	}
	defer after.file.Close()
	for i := range b.out.lists {
		if b.out.lists[i], err = newList(b.dir); err != nil {
			return err
		}
	}
	for part := range n {
		for _, l := range b.out.lists {
			l.starts = append(l.starts, l.n)
		}
		if err := b.join(before, after, part); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for i, l := range b.out.lists {
		if b.out.lists[i], err = l.sorted(b.dir); err != nil {
			return err
		}
	}
	return nil
}

// lacks finds out what may be lacking from the runs.
func (b *builder) lacks(ctx context.Context, older, newer *shoal.Run) (err error) {
	if older != nil {
		if b.out.lacked, err = b.source.RunLacks(ctx, older); err != nil {
			return err
		}
	}
	b.out.lacks, err = b.source.RunLacks(ctx, newer)
	return err
}

// scan reads a run's rows into parts. A run that has lost rows is refused: what is
// not there cannot be compared.
func (b *builder) scan(ctx context.Context, run *shoal.Run, n int) (p *parts, err error) {
	if p, err = newParts(b.dir, n); err != nil || run == nil {
		return p, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.file.Close())
		}
	}()
	q := shoal.ResultQuery{Workspace: run.WorkspaceID, Run: run.ID, Limit: scanFirst}
	rows := int64(0)
	for {
		batch, err := b.source.ScanResults(ctx, q)
		if err != nil {
			return p, fmt.Errorf("read results: %w", err)
		}
		size := 0
		for i := range batch {
			r := record{digest: batch[i].Digest, key: batch[i].Key}
			if r.hash, err = b.hasher.row(batch[i].Data); err != nil {
				return p, fmt.Errorf("result %s: %w", batch[i].ID(), err)
			}
			if err := p.add(&r); err != nil {
				return p, err
			}
			size += len(batch[i].Data)
		}
		rows += int64(len(batch))
		if len(batch) < q.Limit {
			break
		}
		q.After = batch[len(batch)-1].Key
		q.Limit = min(max(scanBytes/(size/len(batch)+1), 1), scanMost)
	}
	if rows != run.UniqueResults {
		return p, ErrRowsGone(run)
	}
	return p, nil
}

// ErrRowsGone refuses to compare a run of which results were removed.
func ErrRowsGone(run *shoal.Run) error {
	return shoal.Conflict("ResultsRemoved", "since",
		"Results of run %s were removed, by emptying the squid or by its retention: what changed cannot be told any more. Compare runs that are whole", run.ID)
}

// join compares the rows of a part.
func (b *builder) join(before, after *parts, part int) error {
	var was []record
	if err := before.read(part, func(r record) error { was = append(was, r); return nil }); err != nil {
		return err
	}
	index := make(map[shoal.Digest]int, len(was))
	for i := range was {
		index[was[i].digest] = i
	}
	err := after.read(part, func(r record) error {
		i, known := index[r.digest]
		if !known {
			return b.out.lists[New].add(pair{after: r.key})
		}
		old := &was[i]
		same := old.hash == r.hash
		key := old.key
		old.key = 0 // it is there
		if same {
			b.out.same++
			return nil
		}
		return b.out.lists[Changed].add(pair{r.key, key})
	})
	if err != nil {
		return err
	}
	for i := range was {
		if was[i].key != 0 {
			if err := b.out.lists[Gone].add(pair{before: was[i].key}); err != nil {
				return err
			}
		}
	}
	return nil
}

func newHasher(seed maphash.Seed, sel Selection) hasher {
	h := hasher{sel: sel}
	h.hash.SetSeed(seed)
	return h
}
