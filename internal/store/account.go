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
		a.params, a.jar, a.created_at, a.updated_at, a.synced_at
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
		&params, &a.SealedJar, &created, &updated, &synced)
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
	return accounts, nil
}

// SyncAccount creates the account a, or refreshes the one that has its ID
// already, with its sealed cookies, and records the synchronization y. A
// refresh keeps the account's type, its limits and, if a has none, its user
// name. Another workspace's ID is ErrAccountNotFound.
func (s *Store) SyncAccount(ctx context.Context, a shoal.Account, y shoal.Sync) error {
	if a.ID == "" || a.Username == "" {
		return fmt.Errorf("sync account: an id and a user name are needed, got %q and %q", a.ID, a.Username)
	}
	params, err := json.Marshal(a.Params)
	if err != nil {
		return fmt.Errorf("sync account: %w", err)
	}
	if a.Params == nil {
		params = []byte("{}")
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := micros(s.now())
		const q = `INSERT INTO accounts (id, workspace_pk, type_id, username, status_code, status_info, status_desc,
				params, jar, created_at, updated_at, synced_at)
			VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)
			ON CONFLICT (id) DO UPDATE SET username = excluded.username, status_code = excluded.status_code,
				status_info = excluded.status_info, status_desc = excluded.status_desc, jar = excluded.jar,
				updated_at = excluded.updated_at, synced_at = excluded.synced_at
			WHERE accounts.workspace_pk = excluded.workspace_pk AND accounts.deleted_at = 0`
		res, err := tx.ExecContext(ctx, q, string(a.ID), string(a.Workspace), a.TypeID, a.Username, a.StatusCode,
			a.StatusInfo, a.StatusDesc, string(params), a.SealedJar, now, micros(a.SyncedAt))
		if err := oneRow(res, err, shoal.ErrAccountNotFound); err != nil {
			return err
		}
		const record = `INSERT INTO account_syncs (id, workspace_pk, account_id, status_code, status_text, created_at)
			VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $3, $4, $5, $6)`
		_, err = tx.ExecContext(ctx, record, string(y.ID), string(a.Workspace), string(a.ID), y.StatusCode, y.StatusText, now)
		if err != nil {
			return fmt.Errorf("record synchronization: %w", err)
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("sync account: %w", err)
	}
	return nil
}

// Sync returns a synchronization.
func (s *Store) Sync(ctx context.Context, ws shoal.WorkspaceID, id shoal.SyncID) (y shoal.Sync, err error) {
	const q = `SELECT y.id, w.id, y.account_id, y.status_code, y.status_text, y.created_at
		FROM account_syncs y JOIN workspaces w ON w.pk = y.workspace_pk WHERE y.id = $1 AND w.id = $2`
	var created int64
	err = s.read.QueryRowContext(ctx, q, string(id), string(ws)).
		Scan(&y.ID, &y.Workspace, &y.AccountID, &y.StatusCode, &y.StatusText, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return y, shoal.ErrSyncNotFound
	}
	if err != nil {
		return y, fmt.Errorf("read synchronization: %w", err)
	}
	y.CreatedAt = fromMicros(created)
	return y, nil
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
// cookies at once. Its row stays, for past runs name it.
func (s *Store) DeleteAccount(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `UPDATE accounts SET deleted_at = $1, jar = NULL
			WHERE id = $2 AND deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $3)`
		res, err := tx.ExecContext(ctx, q, micros(s.now()), string(id), string(ws))
		if err := oneRow(res, err, shoal.ErrAccountNotFound); err != nil {
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
