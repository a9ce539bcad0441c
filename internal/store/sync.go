package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

const syncQuery = `SELECT y.id, w.id, y.kind, y.type_id, y.account_id, y.made, y.username, y.remember, y.unasked,
		y.status_code, y.status_text, y.status, y.sealed, y.state, y.created_at, y.updated_at
	FROM account_syncs y JOIN workspaces w ON w.pk = y.workspace_pk`

func scanSync(r scanner) (y shoal.Sync, err error) {
	var created, updated int64
	err = r.Scan(&y.ID, &y.Workspace, &y.Kind, &y.TypeID, &y.AccountID, &y.Made, &y.Username, &y.Remember, &y.Unasked,
		&y.StatusCode, &y.StatusText, &y.Status, &y.Sealed, &y.State, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return y, shoal.ErrSyncNotFound
	}
	if err != nil {
		return y, fmt.Errorf("read synchronization: %w", err)
	}
	y.CreatedAt, y.UpdatedAt = fromMicros(created), fromMicros(updated)
	return y, nil
}

// CreateSync records a synchronization and enqueues its job. ErrAccountNotFound
// when it is to refresh an account that the workspace has not.
func (s *Store) CreateSync(ctx context.Context, y shoal.Sync) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if y.Made {
			if _, err := account(ctx, tx, y.Workspace, y.AccountID); err != nil {
				return err
			}
		}
		if err := s.addSync(ctx, tx, &y); err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, jobs.New(jobs.KindSync, jobs.SyncArgs{Sync: string(y.ID)})); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("create synchronization: %w", err)
	}
	return nil
}

func (s *Store) addSync(ctx context.Context, tx *sql.Tx, y *shoal.Sync) error {
	now := s.now()
	// A log-in that waited too long for its code has nothing to wait for any more.
	const forget = `UPDATE account_syncs SET state = NULL WHERE state IS NOT NULL AND created_at < $1
		AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $2)`
	if _, err := tx.ExecContext(ctx, forget, micros(now.Add(-shoal.LoginStateLife)), string(y.Workspace)); err != nil {
		return fmt.Errorf("forget log-ins that waited too long: %w", err)
	}
	const q = `INSERT INTO account_syncs (id, workspace_pk, kind, type_id, account_id, made, username, remember, unasked,
			status_code, status_text, status, sealed, created_at, updated_at)
		VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)`
	_, err := tx.ExecContext(ctx, q, string(y.ID), string(y.Workspace), string(y.Kind), y.TypeID, string(y.AccountID), y.Made, y.Username,
		y.Remember, y.Unasked, y.StatusCode, y.StatusText, string(y.Status), y.Sealed, micros(now))
	if err != nil {
		return fmt.Errorf("record synchronization: %w", err)
	}
	return nil
}

// Sync returns a synchronization.
func (s *Store) Sync(ctx context.Context, ws shoal.WorkspaceID, id shoal.SyncID) (shoal.Sync, error) {
	return scanSync(s.read.QueryRowContext(ctx, syncQuery+` WHERE y.id = $1 AND w.id = $2`, string(id), string(ws)))
}

// SyncByID is Sync for the job, which has no caller.
func (s *Store) SyncByID(ctx context.Context, id shoal.SyncID) (shoal.Sync, error) {
	return scanSync(s.read.QueryRowContext(ctx, syncQuery+` WHERE y.id = $1`, string(id)))
}

// BeginSync notes that a synchronization is under way; one that is over stays so.
func (s *Store) BeginSync(ctx context.Context, id shoal.SyncID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `UPDATE account_syncs SET status_code = $1, status_text = 'synchronizing', updated_at = $2 WHERE id = $3 AND status_code < $4`
		_, err := tx.ExecContext(ctx, q, shoal.SyncSynchronizing, micros(s.now()), string(id), shoal.SyncSynchronized)
		return err
	})
	if err != nil {
		return fmt.Errorf("begin synchronization: %w", err)
	}
	return nil
}

// WaitingLogin returns the workspace's newest log-in of a user that waits for a
// one-time code; ErrSyncNotFound when none does.
func (s *Store) WaitingLogin(ctx context.Context, ws shoal.WorkspaceID, typeID, username string) (shoal.Sync, error) {
	const q = syncQuery + ` WHERE w.id = $1 AND y.type_id = $2 AND y.username = $3 AND y.state IS NOT NULL AND y.created_at >= $4
		ORDER BY y.pk DESC LIMIT 1`
	return scanSync(s.read.QueryRowContext(ctx, q, string(ws), typeID, username, micros(s.now().Add(-shoal.LoginStateLife))))
}

// Credentials returns an account's remembered password, sealed; nil: none is.
func (s *Store) Credentials(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID) (sealed []byte, err error) {
	const q = `SELECT credentials FROM accounts WHERE id = $1 AND deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $2)`
	err = s.read.QueryRowContext(ctx, q, string(id), string(ws)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, shoal.ErrAccountNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read the remembered password of an account: %w", err)
	}
	return sealed, nil
}

// FinishSync ends a synchronization: with a session, its account is created or
// refreshed, and the paused runs that waited for it are woken; without, y says
// why there is none. What the synchronization was made of is forgotten. One
// that is over stays as it is, and false is returned. ErrAccountNotFound when
// the account was deleted meanwhile.
//
// A workspace has one account of a type and user name: a synchronization that
// was to make a second one refreshes the first.
func (s *Store) FinishSync(ctx context.Context, y shoal.Sync, made *shoal.Session) (finished bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		finished = false
		if err := s.lockWorkspace(ctx, tx, y.Workspace); err != nil {
			return err
		}
		had, err := scanSync(tx.QueryRowContext(ctx, syncQuery+` WHERE y.id = $1 AND w.id = $2`+s.db.dialect.forUpdateOf("y"), string(y.ID), string(y.Workspace)))
		if err != nil || had.Done() {
			return err
		}
		y.Made, y.CreatedAt = had.Made, had.CreatedAt
		if made != nil {
			err = s.refresh(ctx, tx, &y, made)
		} else {
			err = s.unrefreshed(ctx, tx, &y)
		}
		if err != nil {
			return err
		}
		// Whatever waited for a code of this user is over, too.
		const over = `UPDATE account_syncs SET state = NULL WHERE state IS NOT NULL AND type_id = $1 AND username = $2
			AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $3)`
		if _, err := tx.ExecContext(ctx, over, y.TypeID, y.Username, string(y.Workspace)); err != nil {
			return fmt.Errorf("end the log-in that waited: %w", err)
		}
		finished = true
		const q = `UPDATE account_syncs SET account_id = $1, made = $2, username = $3, status_code = $4, status_text = $5, status = $6,
				sealed = NULL, state = $7, updated_at = $8 WHERE id = $9`
		_, err = tx.ExecContext(ctx, q, string(y.AccountID), y.Made, y.Username, y.StatusCode, y.StatusText, string(y.Status), y.State, micros(s.now()), string(y.ID))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("finish synchronization: %w", err)
	}
	return finished, nil
}

// SyncNow records a synchronization that has nothing to try, with its account:
// both in one transaction.
func (s *Store) SyncNow(ctx context.Context, y shoal.Sync, made shoal.Session) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		y := y
		if err := s.lockWorkspace(ctx, tx, y.Workspace); err != nil {
			return err
		}
		if err := s.refresh(ctx, tx, &y, &made); err != nil {
			return err
		}
		if err := s.addSync(ctx, tx, &y); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("synchronize account: %w", err)
	}
	return nil
}

// lockWorkspace makes synchronizations of one workspace take turns, so that two
// of one user name make one account.
func (s *Store) lockWorkspace(ctx context.Context, tx *sql.Tx, ws shoal.WorkspaceID) error {
	var pk int64
	err := tx.QueryRowContext(ctx, `SELECT pk FROM workspaces WHERE id = $1`+s.db.dialect.forUpdate(), string(ws)).Scan(&pk)
	if err != nil {
		return fmt.Errorf("lock workspace: %w", err)
	}
	return nil
}

// refresh gives the synchronization's account its session, and wakes the runs
// that waited for it.
func (s *Store) refresh(ctx context.Context, tx *sql.Tx, y *shoal.Sync, made *shoal.Session) error {
	if y.AccountID == "" || y.Username == "" {
		return fmt.Errorf("refresh account: an id and a user name are needed, got %q and %q", y.AccountID, y.Username)
	}
	if !y.Made {
		const named = `SELECT id FROM accounts WHERE type_id = $1 AND username = $2 AND deleted_at = 0
			AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $3) ORDER BY pk DESC LIMIT 1`
		err := tx.QueryRowContext(ctx, named, y.TypeID, y.Username, string(y.Workspace)).Scan(&y.AccountID)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for the account: %w", err)
		}
	}
	status, now := shoal.AccountSynchronized, micros(s.now())
	const q = `INSERT INTO accounts (id, workspace_pk, type_id, username, status_code, status_info, status_desc,
			params, jar, credentials, created_at, updated_at, synced_at)
		VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $3, $4, $5, $6, $7, '{}', $8, $9, $10, $10, $10)
		ON CONFLICT (id) DO UPDATE SET username = excluded.username, status_code = excluded.status_code,
			status_info = excluded.status_info, status_desc = excluded.status_desc, jar = excluded.jar,
			updated_at = excluded.updated_at, synced_at = excluded.synced_at, marked_at = 0, cool_until = 0, cool_reason = ''
		WHERE accounts.workspace_pk = excluded.workspace_pk AND accounts.deleted_at = 0`
	res, err := tx.ExecContext(ctx, q, string(y.AccountID), string(y.Workspace), y.TypeID, y.Username, strconv.Itoa(status.Code()),
		string(status), status.Description(), made.Jar, made.Credentials, now)
	if err := oneRow(res, err, shoal.ErrAccountNotFound); err != nil {
		return err
	}
	if !made.KeepCredentials {
		if _, err := tx.ExecContext(ctx, `UPDATE accounts SET credentials = $1 WHERE id = $2`, made.Credentials, string(y.AccountID)); err != nil {
			return fmt.Errorf("remember the password: %w", err)
		}
	}
	y.Made = true
	// A run that waits for what another account may do again later can go on with this one.
	return s.wakeOfAccount(ctx, tx, y.AccountID)
}

// unrefreshed leaves the account of a failed synchronization as it was, unless
// Shoal found out by itself how its session stands. A remembered password that
// the site refuses is forgotten: trying it again would lock the account. A check
// says nothing of cookies or a password that came after it was asked for.
func (s *Store) unrefreshed(ctx context.Context, tx *sql.Tx, y *shoal.Sync) error {
	if !y.Made || y.Kind != shoal.SyncCheck || y.Status == "" {
		return nil
	}
	text := `UPDATE accounts SET status_code = $1, status_info = $2, status_desc = $3, updated_at = $4`
	if y.Status == shoal.AccountWrongCredentials {
		text += `, credentials = NULL`
	}
	_, err := tx.ExecContext(ctx, text+` WHERE id = $5 AND deleted_at = 0 AND synced_at <= $6`, strconv.Itoa(y.Status.Code()),
		string(y.Status), y.StatusText, micros(s.now()), string(y.AccountID), micros(y.CreatedAt))
	if err != nil {
		return fmt.Errorf("note how the account stands: %w", err)
	}
	return nil
}

// reloginEvery is how often an account logs in again without being asked.
const reloginEvery = time.Hour

// relogin enqueues a log-in of an account whose session has ended and whose
// password is remembered, in the transaction that found it out.
func (s *Store) relogin(ctx context.Context, tx *sql.Tx, accountPK int64) error {
	now := s.now()
	const q = `UPDATE accounts SET relogin_at = $1 WHERE pk = $2 AND credentials IS NOT NULL AND deleted_at = 0 AND relogin_at <= $3`
	res, err := tx.ExecContext(ctx, q, micros(now), accountPK, micros(now.Add(-reloginEvery)))
	if err != nil {
		return fmt.Errorf("log an account in again: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	row, err := scanAccount(tx.QueryRowContext(ctx, accountQuery+` WHERE a.pk = $1`, accountPK))
	if err != nil {
		return fmt.Errorf("log an account in again: %w", err)
	}
	y := shoal.Sync{ID: shoal.NewID[shoal.SyncID](), Workspace: row.Workspace, Kind: shoal.SyncCheck, TypeID: row.TypeID, AccountID: row.ID,
		Made: true, Username: row.Username, Unasked: true, StatusCode: shoal.SyncCreated, StatusText: "created"}
	if err := s.addSync(ctx, tx, &y); err != nil {
		return err
	}
	return s.enqueue(ctx, tx, jobs.New(jobs.KindSync, jobs.SyncArgs{Sync: string(y.ID)}))
}
