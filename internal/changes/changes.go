// Package changes tells what differs between two runs of a squid: rows that are
// new, rows that changed, rows that are gone. Rows are the same when the
// crawler's key fields are; they have changed when another field has another
// value. A comparison reads both runs once and keeps where the differences are
// in files without names, so that any page of them is at hand afterwards.
package changes

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"os"
	"strings"
	"sync"

	"shoal"
)

// Kind is a kind of change.
type Kind int

// The kinds of changes, in the order in which they are listed.
const (
	New     Kind = iota // in the newer run alone
	Changed             // in both, with different values
	Gone                // in the older run alone
)

// Kinds are all kinds.
var Kinds = []Kind{New, Changed, Gone}

var kindNames = [...]string{"new", "changed", "gone"}

func (k Kind) String() string { return kindNames[k] }

// ParseKind returns the kind of a name; false when there is none.
func ParseKind(name string) (Kind, bool) {
	for _, k := range Kinds {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// Source reads results.
type Source interface {
	// ScanResults is like ReadResults of a run, with Key, RunPK, Digest and Data
	// of each result alone.
	ScanResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error)
	// RunLacks says why results may be lacking from a run that collects no more.
	RunLacks(ctx context.Context, r *shoal.Run) (shoal.RunLacks, error)
	// ResultsAt returns the results with the given keys, of those that the
	// workspace's squid still has, by their keys.
	ResultsAt(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, keys []int64) (map[int64]*shoal.Result, error)
}

// Change is one row that differs. Before is nil for a new row, After for one
// that is gone; Fields are those of a changed one.
type Change struct {
	Kind          Kind
	Before, After *shoal.Result
	Fields        []Field
}

// Comparison is what differs between two runs. It stays as it is: both runs have
// ended. Call Close when done with it.
type Comparison struct {
	source Source
	newer  shoal.Run
	sel    Selection
	lists  [3]*pairList // by kind
	same   int64
	// What may be lacking from the two runs.
	lacks, lacked shoal.RunLacks

	// Of the cache.
	owner *Comparer
	name  string
	users int
	ready chan struct{} // closed when it is made, or err says why not
	err   error
	place *list.Element // nil: forgotten
}

// Count returns how many changes of a kind there are.
func (c *Comparison) Count(k Kind) int64 { return c.lists[k].n }

// Same returns how many rows are in both runs alike.
func (c *Comparison) Same() int64 { return c.same }

// Lacks says why results may be lacking from the newer run, and Lacked why from
// the older: what one lacks looks gone, or new.
func (c *Comparison) Lacks() shoal.RunLacks { return c.lacks }

// Lacked is told with Lacks.
func (c *Comparison) Lacked() shoal.RunLacks { return c.lacked }

// Total returns how many changes of some kinds there are.
func (c *Comparison) Total(kinds []Kind) (n int64) {
	for _, k := range kinds {
		n += c.Count(k)
	}
	return n
}

// changeBatch is how many changes are looked up at a time.
const changeBatch = 200

// Changes returns the changes of some kinds, in the order of the kinds and then
// of their collection, without the first ones. ErrRowsGone ends them when rows
// were removed since.
func (c *Comparison) Changes(ctx context.Context, kinds []Kind, from int64) iter.Seq2[*Change, error] {
	return func(yield func(*Change, error) bool) {
		skip := from
		for _, k := range kinds {
			at := min(skip, c.Count(k))
			skip -= at
			for at < c.Count(k) {
				batch, err := c.read(ctx, k, at)
				if err != nil {
					yield(nil, err)
					return
				}
				for i := range batch {
					if !yield(&batch[i], nil) {
						return
					}
				}
				at += int64(len(batch))
			}
		}
	}
}

// Page returns at most limit changes of some kinds, without the first ones.
func (c *Comparison) Page(ctx context.Context, kinds []Kind, from int64, limit int) (out []Change, err error) {
	for change, err := range c.Changes(ctx, kinds, from) {
		if err != nil {
			return nil, err
		}
		if out = append(out, *change); len(out) == limit {
			break
		}
	}
	return out, nil
}

// read looks up some changes of a kind.
func (c *Comparison) read(ctx context.Context, k Kind, from int64) ([]Change, error) {
	pairs, err := c.lists[k].read(from, changeBatch)
	if err != nil {
		return nil, err
	}
	keys := make([]int64, 0, 2*len(pairs))
	for _, p := range pairs {
		for _, key := range []int64{p.after, p.before} {
			if key != 0 {
				keys = append(keys, key)
			}
		}
	}
	rows, err := c.source.ResultsAt(ctx, c.newer.WorkspaceID, c.newer.SquidID, keys)
	if err != nil {
		return nil, fmt.Errorf("read changed results: %w", err)
	}
	out := make([]Change, len(pairs))
	for i, p := range pairs {
		ch := Change{Kind: k, Before: rows[p.before], After: rows[p.after]}
		if p.before != 0 && ch.Before == nil || p.after != 0 && ch.After == nil {
			return nil, ErrRowsGone(&c.newer)
		}
		if k == Changed {
			if ch.Fields, err = Differences(ch.Before.Data, ch.After.Data, c.sel); err != nil {
				return nil, fmt.Errorf("result %s: %w", ch.After.ID(), err)
			}
		}
		out[i] = ch
	}
	return out, nil
}

// size is how many bytes the comparison has on disk.
func (c *Comparison) size() (n int64) {
	for _, l := range c.lists {
		if l != nil {
			n += l.n * pairSize
		}
	}
	return n
}

func (c *Comparison) closeFiles() (err error) {
	for _, l := range c.lists {
		if l != nil {
			err = errors.Join(err, l.close())
		}
	}
	return err
}

// What the comparisons that are kept for the next page may take.
const (
	keptMost  = 16
	keptBytes = 256 << 20
	building  = 2 // at a time
)

// Comparer compares runs, and keeps the last comparisons. Safe for use by
// several goroutines.
type Comparer struct {
	source Source
	dir    string
	rows   int64 // of a part
	seed   maphash.Seed
	turns  chan struct{}

	mu    sync.Mutex
	known map[string]*Comparison
	kept  *list.List // front: used last
}

// NewComparer returns a comparer of results of source with its files in dir,
// which is made when needed; "" is the system's directory of temporary files.
func NewComparer(source Source, dir string) *Comparer {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Comparer{source: source, dir: dir, rows: partRows, seed: maphash.MakeSeed(), turns: make(chan struct{}, building),
		known: map[string]*Comparison{}, kept: list.New()}
}

// Compare returns what differs between two runs of one squid that collect no
// more. Without an older run all rows are new. Errors: ErrRowsGone.
func (c *Comparer) Compare(ctx context.Context, older, newer *shoal.Run, sel Selection) (*Comparison, error) {
	name := nameOf(older, newer, &sel)
	for {
		cmp, mine := c.claim(name)
		if mine {
			cmp.source, cmp.newer, cmp.sel = c.source, *newer, sel
			cmp.err = c.make(ctx, cmp, older)
			close(cmp.ready)
		} else {
			select {
			case <-cmp.ready:
			case <-ctx.Done():
				return nil, errors.Join(ctx.Err(), cmp.Close())
			}
		}
		if cmp.err == nil {
			c.trim()
			return cmp, nil
		}
		err := errors.Join(cmp.err, cmp.Close())
		// Whoever asked first may have gone before it was made.
		if mine || ctx.Err() != nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
	}
}

// nameOf is what tells a comparison from others.
func nameOf(older, newer *shoal.Run, sel *Selection) string {
	since := ""
	if older != nil {
		since = string(older.ID)
	}
	return strings.Join([]string{since, string(newer.ID), strings.Join(sel.Fields, ","), strings.Join(sel.Omit, ",")}, " ")
}

// claim returns the comparison of a name; mine says that the caller is to make it.
func (c *Comparer) claim(name string) (cmp *Comparison, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cmp = c.known[name]; cmp != nil {
		cmp.users++
		c.kept.MoveToFront(cmp.place)
		return cmp, false
	}
	cmp = &Comparison{owner: c, name: name, users: 1, ready: make(chan struct{})}
	cmp.place = c.kept.PushFront(cmp)
	c.known[name] = cmp
	return cmp, true
}

// make makes a comparison when it is its turn. One that fails is not kept.
func (c *Comparer) make(ctx context.Context, cmp *Comparison, older *shoal.Run) error {
	var err error
	select {
	case c.turns <- struct{}{}:
		b := &builder{source: c.source, dir: c.dir, rows: c.rows, hasher: newHasher(c.seed, cmp.sel), out: cmp}
		err = b.build(ctx, older, &cmp.newer)
		<-c.turns
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		c.mu.Lock()
		c.forget(cmp)
		c.mu.Unlock()
	}
	return err
}

// forget takes a comparison out of the cache; its files stay until nobody uses
// it. The caller has locked c.
func (c *Comparer) forget(cmp *Comparison) {
	if cmp.place != nil {
		c.kept.Remove(cmp.place)
		cmp.place = nil
		delete(c.known, cmp.name)
	}
}

// trim forgets the comparisons that were used longest ago, so that the rest is
// within bounds.
func (c *Comparer) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, bytes := 0, int64(0)
	for e := c.kept.Front(); e != nil; {
		cmp := e.Value.(*Comparison)
		e = e.Next()
		select {
		case <-cmp.ready:
		default:
			continue // being made
		}
		n++
		if bytes += cmp.size(); n <= keptMost && bytes <= keptBytes {
			continue
		}
		c.forget(cmp)
		if cmp.users == 0 {
			cmp.closeFiles() // nothing was written that could be lost
		}
	}
}

// Close says that the caller is done with the comparison.
func (c *Comparison) Close() error {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.users--
	if c.users > 0 || c.place != nil {
		return nil
	}
	return c.closeFiles()
}
