package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"shoal"
)

const accountQuery = `SELECT a.pk, a.id, w.id, a.type_id, a.username, a.status_code, a.status_info, a.status_desc,
		a.params, a.jar, a.credentials IS NOT NULL, a.created_at, a.updated_at, a.synced_at
	FROM accounts a JOIN workspaces w ON w.pk = a.workspace_pk`

// accountRow is an account with its number.
type accountRow struct {
	shoal.Account
	pk int64
}

func scanAccount(r scanner) (a accountRow, err error) {
	var params []byte
	var created, updated, synced int64
	err = r.Scan(&a.pk, &a.ID, &a.Workspace, &a.TypeID, &a.Username, &a.StatusCode, &a.StatusInfo, &a.StatusDesc,
		&params, &a.SealedJar, &a.Remembered, &created, &updated, &synced)
	if err != nil {
		return a, err
	}
	a.CreatedAt, a.UpdatedAt, a.SyncedAt = fromMicros(created), fromMicros(updated), fromMicros(synced)
	return a, json.Unmarshal(params, &a.Params)
}

// withSquids fills in the squids that use the accounts.
func withSquids(ctx context.Context, q querier, rows []accountRow) ([]shoal.Account, error) {
	accounts := make([]shoal.Account, len(rows))
	at := map[int64]int{}
	for i, r := range rows {
		accounts[i], at[r.pk] = r.Account, i
	}
	for chunk := range slices.Chunk(rows, inRows) {
		args := make([]any, len(chunk))
		for i, r := range chunk {
			args[i] = r.pk
		}
		text := `SELECT sa.account_pk, s.id, s.name FROM squid_accounts sa JOIN squids s ON s.pk = sa.squid_pk
			WHERE sa.account_pk IN (` + params(1, len(chunk)) + `) AND s.deleted_at = 0 ORDER BY sa.account_pk, s.pk`
		_, err := collect(ctx, q, func(r scanner) (pk int64, err error) {
			var ref shoal.SquidRef
			if err = r.Scan(&pk, &ref.ID, &ref.Name); err == nil {
				a := &accounts[at[pk]]
				a.Squids = append(a.Squids, ref)
			}
			return pk, err
		}, text, args...)
		if err != nil {
			return nil, fmt.Errorf("read the squids of accounts: %w", err)
		}
	}
	return accounts, withUses(ctx, q, rows, accounts)
}

// Accounts lists accounts, newest first.
func (s *Store) Accounts(ctx context.Context, ws shoal.WorkspaceID, w shoal.Window) (l shoal.Listing[shoal.Account], err error) {
	const where = ` WHERE workspace_pk = (SELECT pk FROM workspaces WHERE id = $1) AND deleted_at = 0`
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM accounts`+where, string(ws)).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count accounts: %w", err)
	}
	const q = accountQuery + ` JOIN (SELECT pk FROM accounts` + where + ` ORDER BY pk DESC LIMIT $2 OFFSET $3) p
		ON p.pk = a.pk ORDER BY a.pk DESC`
	rows, err := collect(ctx, s.read, scanAccount, q, string(ws), w.Limit, skip(w, l.Total))
	if err != nil {
		return l, fmt.Errorf("list accounts: %w", err)
	}
	if l.Items, err = withSquids(ctx, s.read, rows); err != nil {
		return l, fmt.Errorf("list accounts: %w", err)
	}
	return l, nil
}

// Account returns an account.
func (s *Store) Account(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID) (shoal.Account, error) {
	return account(ctx, s.read, ws, id)
}

func account(ctx context.Context, q querier, ws shoal.WorkspaceID, id shoal.AccountID) (shoal.Account, error) {
	const text = accountQuery + ` WHERE a.id = $1 AND w.id = $2 AND a.deleted_at = 0`
	row, err := scanAccount(q.QueryRowContext(ctx, text, string(id), string(ws)))
	if errors.Is(err, sql.ErrNoRows) {
		return shoal.Account{}, shoal.ErrAccountNotFound
	}
	if err != nil {
		return shoal.Account{}, fmt.Errorf("read account: %w", err)
	}
	all, err := withSquids(ctx, q, []accountRow{row})
	if err != nil {
		return shoal.Account{}, err
	}
	return all[0], nil
}

// UpdateAccount replaces the limits that a person set for an account.
func (s *Store) UpdateAccount(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID, params map[string]int64) (changed shoal.Account, err error) {
	if params == nil {
		params = map[string]int64{}
	}
	b, err := json.Marshal(params)
	if err != nil {
		return changed, fmt.Errorf("update account: %w", err)
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `UPDATE accounts SET params = $1, updated_at = $2
			WHERE id = $3 AND deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $4)`
		res, err := tx.ExecContext(ctx, q, string(b), micros(s.now()), string(id), string(ws))
		if err := oneRow(res, err, shoal.ErrAccountNotFound); err != nil {
			return err
		}
		if err := s.wakeOfAccount(ctx, tx, id); err != nil {
			return err
		}
		if changed, err = account(ctx, tx, ws, id); err != nil {
			return err
		}
		return s.remember(ctx, tx, changed)
	})
	if err != nil {
		return shoal.Account{}, fmt.Errorf("update account: %w", err)
	}
	return changed, nil
}

// DeleteAccount deletes an account, unlinks it from its squids and forgets its
// cookies and its password at once. Its row stays, for past runs name it.
func (s *Store) DeleteAccount(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `UPDATE accounts SET deleted_at = $1, jar = NULL, credentials = NULL
			WHERE id = $2 AND deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $3)`
		res, err := tx.ExecContext(ctx, q, micros(s.now()), string(id), string(ws))
		if err := oneRow(res, err, shoal.ErrAccountNotFound); err != nil {
			return err
		}
		if err := s.wakeOfAccount(ctx, tx, id); err != nil {
			return err
		}
		const unlink = `DELETE FROM squid_accounts WHERE account_pk = (SELECT pk FROM accounts WHERE id = $1)`
		if _, err := tx.ExecContext(ctx, unlink, string(id)); err != nil {
			return fmt.Errorf("unlink account: %w", err)
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	return nil
}
