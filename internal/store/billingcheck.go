package store

import (
	"context"
	"fmt"

	"shoal"
)

// Unbalanced is a workspace whose balance is not what its entries and its
// ledger make, or which is below zero although it is limited: a fault of ours.
type Unbalanced struct {
	Workspace    shoal.WorkspaceID
	Balance, Sum shoal.Credits
}

// unbalanced looks at all workspaces in one statement, which sees one moment.
const unbalanced = `SELECT b.id, b.balance, b.total FROM (
		SELECT w.id, CASE WHEN w.credits_available >= 0 THEN TRUE ELSE FALSE END AS limited,
			CASE WHEN w.credits_available > 0 THEN w.credits_available ELSE 0 END
				+ w.credits_rollover + w.credits_bonus - w.credits_consumed AS balance,
			CAST((SELECT COALESCE(SUM(c.credits), 0) FROM credit_entries c WHERE c.workspace_pk = w.pk)
				- (SELECT COALESCE(SUM(l.credits), 0) FROM ledger l WHERE l.workspace_pk = w.pk) AS BIGINT) AS total
		FROM workspaces w) b
	WHERE b.balance <> b.total OR b.limited AND b.balance < 0`

func readUnbalanced(ctx context.Context, q querier) ([]Unbalanced, error) {
	list, err := collect(ctx, q, func(row scanner) (u Unbalanced, err error) {
		return u, row.Scan(&u.Workspace, &u.Balance, &u.Sum)
	}, unbalanced)
	if err != nil {
		return nil, fmt.Errorf("add the credits up: %w", err)
	}
	return list, nil
}

// Unbalanced returns the workspaces whose credits do not add up: none, ever.
func (s *Store) Unbalanced(ctx context.Context) ([]Unbalanced, error) {
	return readUnbalanced(ctx, s.read)
}

// Unbalanced returns the workspaces whose credits do not add up.
func (i *Inspection) Unbalanced(ctx context.Context) ([]Unbalanced, error) {
	return readUnbalanced(ctx, i.db)
}
