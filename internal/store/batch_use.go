package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"shoal"
)

// addUses adds to what accounts were used for; the use of a new day takes the
// place of the last one's, and a page that comes late changes nothing.
var addUses = &bulk{types: []string{"bigint", "text", "bigint", "bigint", "bigint"}, text: `
	INSERT INTO account_uses (account_pk, attribute, since, used, at) {rows}
	ON CONFLICT (account_pk, attribute) DO UPDATE SET
		used = CASE WHEN account_uses.since = excluded.since THEN account_uses.used + excluded.used ELSE excluded.used END,
		since = excluded.since, at = excluded.at
	WHERE account_uses.since <= excluded.since`}

const (
	selectBatch = `SELECT batch_used, batch_at FROM accounts WHERE pk = $1`
	updateBatch = `UPDATE accounts SET batch_used = $2, batch_at = $3 WHERE pk = $1`
)

// useKey is what a use is counted by.
type useKey struct {
	account   int64
	attribute string
}

// useCount is how much since a reset, and when last.
type useCount struct{ since, n, at int64 }

// batchAccount is how far an account is in its batch.
type batchAccount struct {
	pk, used, at int64
	changed      bool
}

// lockUses locks the accounts that the pages were fetched with. Pages without
// one, most of all, cost nothing here.
func (b *batch) lockUses(ctx context.Context) error {
	for _, r := range b.runs {
		for _, o := range r.pages {
			if o.page.Use == nil {
				continue
			}
			if b.accounts == nil {
				b.accounts, b.uses = map[int64]*batchAccount{}, map[useKey]useCount{}
			}
			b.accounts[o.page.Use.AccountPK] = &batchAccount{pk: o.page.Use.AccountPK}
		}
	}
	for _, pk := range slices.Sorted(maps.Keys(b.accounts)) {
		a := b.accounts[pk]
		err := b.tx.QueryRowContext(ctx, selectBatch+b.s.db.dialect.forUpdate(), pk).Scan(&a.used, &a.at)
		if err != nil {
			return fmt.Errorf("lock account %d: %w", pk, err)
		}
	}
	return nil
}

// use counts a page that is committed, with the rows that were new.
func (b *batch) use(p *shoal.Page, stored int) {
	if p.Use == nil {
		return
	}
	for _, attribute := range p.Use.Counts {
		b.useOf(p, attribute, 1)
	}
	if p.Use.Results && stored > 0 {
		b.useOf(p, shoal.UseResults, int64(stored))
	}
}

func (b *batch) useOf(p *shoal.Page, attribute string, n int64) {
	at, since := micros(p.At), micros(p.Use.Since)
	k := useKey{p.Use.AccountPK, attribute}
	switch c := b.uses[k]; {
	case since > c.since:
		b.uses[k] = useCount{since, n, at}
	case since == c.since:
		b.uses[k] = useCount{since, c.n + n, max(c.at, at)}
	}
	if attribute == p.Use.BatchAttribute {
		b.accounts[p.Use.AccountPK].add(p.Use, n, at)
	}
}

// add counts n against the present batch: a new one when the last was used up
// and its rest is over.
func (a *batchAccount) add(u *shoal.PageUse, n, at int64) {
	a.changed = true
	if a.used >= u.BatchSize && at >= a.at+u.BatchRest.Microseconds() {
		a.used = 0
	}
	full := a.used >= u.BatchSize
	if a.used += n; !full && a.used >= u.BatchSize {
		a.at = at
	}
}

// flushUses writes what the batch's pages count.
func (b *batch) flushUses(ctx context.Context) error {
	keys := slices.Collect(maps.Keys(b.uses))
	err := b.tx.exec(ctx, addUses, len(keys), func(i int, args []any) {
		c := b.uses[keys[i]]
		args[0], args[1], args[2], args[3], args[4] = keys[i].account, keys[i].attribute, c.since, c.n, c.at
	})
	if err != nil {
		return fmt.Errorf("count the use of accounts: %w", err)
	}
	for _, a := range b.accounts {
		if !a.changed {
			continue
		}
		if _, err := b.tx.ExecContext(ctx, updateBatch, a.pk, a.used, a.at); err != nil {
			return fmt.Errorf("count the batch of account %d: %w", a.pk, err)
		}
	}
	return nil
}
