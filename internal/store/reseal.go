package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"shoal"
)

// sealedColumn is a column that holds sealed values.
type sealedColumn struct {
	table, column string
	// kind is a column that says what the value is sealed for; empty: purpose is
	// always the same.
	kind    string
	purpose func(kind string) string
	// each changes the sealed parts of a value that is no sealed value itself.
	each func(value []byte, reseal Reseal) ([]byte, error)
}

// sealedColumns are all columns that hold secrets.
var sealedColumns = []sealedColumn{
	{table: "accounts", column: "jar", purpose: always(shoal.SealedCookies)},
	{table: "accounts", column: "credentials", purpose: always(shoal.SealedCredentials)},
	{table: "account_syncs", column: "sealed", kind: "kind", purpose: func(kind string) string {
		if shoal.SyncKind(kind) == shoal.SyncCookies {
			return shoal.SealedCookies
		}
		return shoal.SealedCredentials
	}},
	{table: "account_syncs", column: "state", purpose: always(shoal.SealedLoginState)},
	{table: "squids", column: "delivery", each: resealDelivery},
}

func always(purpose string) func(string) string { return func(string) string { return purpose } }

// Reseal seals a value anew, for its purpose. It returns what it was given when
// there is nothing to do.
type Reseal = func(purpose string, sealed []byte) ([]byte, error)

// resealBatch is how many rows are looked at in one transaction.
const resealBatch = 200

// ResealAll gives every sealed value to reseal, in batches, and stores what it
// returns. It returns how many values there are, and how many were changed. A
// value that cannot be opened ends it; what was resealed before stays so.
func (s *Store) ResealAll(ctx context.Context, reseal Reseal) (values, changed int, err error) {
	for _, c := range sealedColumns {
		for last := int64(0); ; {
			n, again, next, err := s.resealBatch(ctx, c, last, reseal)
			values, changed = values+n, changed+again
			if err != nil {
				return values, changed, fmt.Errorf("seal %s.%s anew: %w", c.table, c.column, err)
			}
			if next == 0 {
				break
			}
			last = next
		}
	}
	return values, changed, nil
}

type sealedRow struct {
	pk    int64
	kind  string
	value []byte
}

// resealBatch reseals the rows after last; next is 0 after the last ones.
func (s *Store) resealBatch(ctx context.Context, c sealedColumn, last int64, reseal Reseal) (values, changed int, next int64, err error) {
	kind := "''"
	if c.kind != "" {
		kind = c.kind
	}
	text := `SELECT pk, ` + kind + `, ` + c.column + ` FROM ` + c.table + ` WHERE pk > $1 AND ` + c.column + ` IS NOT NULL ORDER BY pk LIMIT $2` + s.db.dialect.forUpdate()
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		values, changed, next = 0, 0, 0
		rows, err := collect(ctx, tx, func(r scanner) (v sealedRow, err error) { return v, r.Scan(&v.pk, &v.kind, &v.value) }, text, last, resealBatch)
		if err != nil {
			return err
		}
		for _, r := range rows {
			values++
			anew, err := c.anew(r, reseal)
			if err != nil {
				return fmt.Errorf("row %d: %w", r.pk, err)
			}
			if bytes.Equal(anew, r.value) {
				continue
			}
			changed++
			if _, err := tx.ExecContext(ctx, `UPDATE `+c.table+` SET `+c.column+` = $1 WHERE pk = $2`, anew, r.pk); err != nil {
				return err
			}
		}
		if len(rows) == resealBatch {
			next = rows[len(rows)-1].pk
		}
		return nil
	})
	return values, changed, next, err
}

func (c *sealedColumn) anew(r sealedRow, reseal Reseal) ([]byte, error) {
	if c.each != nil {
		return c.each(r.value, reseal)
	}
	return reseal(c.purpose(r.kind), r.value)
}

// resealDelivery reseals the channels of a delivery's config.
func resealDelivery(value []byte, reseal Reseal) ([]byte, error) {
	var d shoal.DeliveryConfig
	if err := json.Unmarshal(value, &d); err != nil {
		return nil, fmt.Errorf("read a delivery's config: %w", err)
	}
	changed := false
	for _, c := range shoal.Channels {
		part := d.Part(c)
		if part == nil || *part == nil {
			continue
		}
		anew, err := reseal(shoal.SealedDelivery(c), *part)
		if err != nil {
			return nil, err
		}
		changed = changed || !bytes.Equal(anew, *part)
		*part = anew
	}
	if !changed {
		return value, nil
	}
	return json.Marshal(d)
}
