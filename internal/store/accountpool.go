package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal"
)

// The account that a run works with is a column of its row: whatever ends the
// run's work clears it in the same statement, and a kill leaves nobody holding
// anything that no run owns. Accounts are locked after squids and before runs.

// linkedColumns are what scanLinked reads, of accounts a.
const linkedColumns = `a.pk, a.id, a.username, a.type_id, a.status_info, a.marked_at, a.synced_at, a.params,
	a.batch_used, a.batch_at, a.cool_until, a.cool_reason, a.deleted_at`

func scanLinked(row scanner, more ...any) (a shoal.LinkedAccount, err error) {
	var params []byte
	var deleted int64
	t := times{}
	err = row.Scan(append([]any{&a.PK, &a.ID, &a.Username, &a.TypeID, &a.Status, t.into(&a.MarkedAt), t.into(&a.SyncedAt), &params,
		&a.Batch.N, t.into(&a.Batch.At), t.into(&a.CoolUntil), &a.CoolReason, &deleted}, more...)...)
	if err != nil {
		return a, err
	}
	a.Linked = deleted == 0
	return a, json.Unmarshal(params, &a.Params)
}

// lockAccounts locks the accounts of a squid and the one that the run works
// with, and returns those that are linked. The squid is locked; the run, 0 when
// it is not made yet, is not.
func (s *Store) lockAccounts(ctx context.Context, tx *sql.Tx, squid, run int64) ([]shoal.LinkedAccount, error) {
	q := `SELECT ` + linkedColumns + `, CASE WHEN EXISTS (
			SELECT 1 FROM squid_accounts l WHERE l.squid_pk = $1 AND l.account_pk = a.pk) THEN 1 ELSE 0 END
		FROM accounts a WHERE a.pk IN (SELECT account_pk FROM squid_accounts WHERE squid_pk = $1
			UNION SELECT account_pk FROM runs WHERE pk = $2 AND account_pk > 0)
		ORDER BY a.pk` + s.db.dialect.forUpdateOf("a")
	accounts, err := collect(ctx, tx, func(row scanner) (shoal.LinkedAccount, error) {
		var linked int
		a, err := scanLinked(row, &linked)
		a.Linked = a.Linked && linked == 1
		return a, err
	}, q, squid, run)
	if err != nil {
		return nil, fmt.Errorf("lock accounts: %w", err)
	}
	accounts = slices.DeleteFunc(accounts, func(a shoal.LinkedAccount) bool { return !a.Linked })
	for i := range accounts {
		if err := s.readUse(ctx, tx, &accounts[i], run); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

// lockHeld locks the account that a run works with, so that a run which finds
// it busy has either seen it free or is paused, and woken, before it is freed.
func (s *Store) lockHeld(ctx context.Context, tx *sql.Tx, run shoal.RunID) error {
	if s.db.dialect == SQLite {
		return nil // all that write take turns
	}
	q := `SELECT a.pk FROM accounts a JOIN runs r ON r.account_pk = a.pk WHERE r.id = $1 AND r.account_pk > 0` + s.db.dialect.forUpdateOf("a")
	if _, err := collect(ctx, tx, scanInt, q, string(run)); err != nil {
		return fmt.Errorf("lock the run's account: %w", err)
	}
	return nil
}

// freeAccounts has the unfinished runs of a squid let their accounts go.
func (s *Store) freeAccounts(ctx context.Context, tx *sql.Tx, squid int64) error {
	const held = `SELECT account_pk FROM runs WHERE squid_pk = $1 AND account_pk > 0`
	accounts, err := collect(ctx, tx, scanInt, held, squid)
	if err != nil || len(accounts) == 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE runs SET account_pk = 0 WHERE squid_pk = $1 AND account_pk > 0`, squid); err != nil {
		return fmt.Errorf("free accounts: %w", err)
	}
	for _, pk := range accounts {
		if err := s.wakeWaiting(ctx, tx, pk, shoal.ReasonNoAccountAvailable); err != nil {
			return err
		}
	}
	return nil
}

// readUse reads what an account was used for, and by how many other runs than
// run it is used now.
func (s *Store) readUse(ctx context.Context, q querier, a *shoal.LinkedAccount, run int64) (err error) {
	if a.Uses, err = usesOf(ctx, q, a.PK); err != nil {
		return err
	}
	const count = `SELECT count(*) FROM runs WHERE account_pk = $1 AND account_pk > 0 AND pk <> $2`
	if err := q.QueryRowContext(ctx, count, a.PK, run).Scan(&a.Runs); err != nil {
		return fmt.Errorf("count the runs of an account: %w", err)
	}
	return nil
}

// usesOf reads what an account was used for.
func usesOf(ctx context.Context, q querier, pk int64) (map[string]shoal.AccountUse, error) {
	uses := map[string]shoal.AccountUse{}
	_, err := collect(ctx, q, func(row scanner) (x struct{}, err error) {
		var name string
		var u shoal.AccountUse
		t := times{}
		err = row.Scan(&name, t.into(&u.Since), &u.N, t.into(&u.At))
		uses[name] = u
		return x, err
	}, `SELECT attribute, since, used, at FROM account_uses WHERE account_pk = $1`, pk)
	if err != nil {
		return nil, fmt.Errorf("read what an account was used for: %w", err)
	}
	return uses, nil
}

// RunAccount returns the account that a running run works with, with its
// sealed cookies; ErrAccountNotFound when it works with none.
func (s *Store) RunAccount(ctx context.Context, run shoal.RunID) (shoal.LinkedAccount, error) {
	const q = `SELECT ` + linkedColumns + `, r.pk, a.jar, CASE WHEN EXISTS (
			SELECT 1 FROM squid_accounts l WHERE l.squid_pk = r.squid_pk AND l.account_pk = a.pk) THEN 1 ELSE 0 END
		FROM runs r JOIN accounts a ON a.pk = r.account_pk WHERE r.id = $1`
	var pk int64
	var linked int
	var jar []byte
	a, err := scanLinked(s.read.QueryRowContext(ctx, q, string(run)), &pk, &jar, &linked)
	if errors.Is(err, sql.ErrNoRows) {
		return a, shoal.ErrAccountNotFound
	}
	if err != nil {
		return a, fmt.Errorf("read the account of run %s: %w", run, err)
	}
	a.Linked, a.SealedJar = a.Linked && linked == 1, jar
	return a, s.readUse(ctx, s.read, &a, pk)
}

// AccountDecision is what becomes of a run that its account may no longer
// serve, and what its log says of it; empty: nothing.
type AccountDecision = func(r *shoal.Run, st *shoal.Standing, now time.Time) (effects shoal.Effects, note string, err error)

// SwitchAccount writes what a run learned of the account that it works with
// and lets decide whether the run goes on, with which account, in one
// transaction. decide is as in AdmitRun.
func (s *Store) SwitchAccount(ctx context.Context, id shoal.RunID, actor string, m shoal.AccountMark, decide AccountDecision) (shoal.Run, error) {
	known, err := s.runByID(ctx, id)
	if err != nil {
		return shoal.Run{}, err
	}
	var st shoal.Standing
	return s.changeRun(ctx, id, actor, func(ctx context.Context, tx *sql.Tx, r *runRow) (shoal.Effects, error) {
		effects, note, err := decide(&r.Run, &st, s.now())
		if err != nil || note == "" {
			return effects, err
		}
		return effects, s.addEvent(ctx, tx, r, shoal.EventNote, actorEngine, shoal.NotePayload{Level: "warning", Message: note})
	}, func(ctx context.Context, tx *sql.Tx) error {
		if st, err = s.lockStanding(ctx, tx, known); err != nil {
			return err
		}
		return s.markAccount(ctx, tx, &st, m)
	})
}

// markAccount writes m and has st say the same. What others wait for the
// account for is not what is in their way any more: they look again.
func (s *Store) markAccount(ctx context.Context, tx *sql.Tx, st *shoal.Standing, m shoal.AccountMark) error {
	i := slices.IndexFunc(st.Accounts, func(a shoal.LinkedAccount) bool { return a.PK == m.PK })
	if m.PK == 0 || i < 0 || !st.Accounts[i].SyncedAt.Equal(m.SyncedAt) {
		return nil
	}
	a := &st.Accounts[i]
	a.Status, a.MarkedAt, a.CoolUntil, a.CoolReason = m.Status, s.now(), m.CoolUntil, m.CoolReason
	const q = `UPDATE accounts SET status_code = $2, status_info = $3, status_desc = $4, marked_at = $5, updated_at = $5,
		cool_until = $6, cool_reason = $7 WHERE pk = $1`
	_, err := tx.ExecContext(ctx, q, a.PK, fmt.Sprint(m.Status.Code()), string(m.Status), plain(m.Desc), micros(a.MarkedAt),
		micros(m.CoolUntil), string(m.CoolReason))
	if err != nil {
		return fmt.Errorf("mark account %s: %w", a.ID, err)
	}
	if !m.Status.Usable() && m.Status != shoal.AccountTooManyRequests {
		if err := s.relogin(ctx, tx, a.PK); err != nil {
			return err
		}
	}
	return s.wakeWaiting(ctx, tx, a.PK, shoal.ReasonNoAccountAvailable)
}

// wakeWaiting makes the paused runs look again that wait for reasons and could
// work with the account.
func (s *Store) wakeWaiting(ctx context.Context, tx *sql.Tx, account int64, reasons ...shoal.DoneReason) error {
	if len(reasons) == 0 {
		return nil
	}
	args := []any{account}
	for _, reason := range reasons {
		args = append(args, string(reason))
	}
	return s.wakeWhere(ctx, tx, ` WHERE r.status = 'paused' AND r.done_reason IN (`+params(2, len(reasons))+`)
		AND r.squid_pk IN (SELECT squid_pk FROM squid_accounts WHERE account_pk = $1)`, args...)
}

// accountReasons are why a run waits that works with accounts.
func accountReasons() []shoal.DoneReason {
	return append(shoal.ResyncReasons(), shoal.ReasonLimitExceeded, shoal.ReasonBatchWait)
}

// wakeOfAccount makes the runs look again that wait for an account of which
// more, or less, is allowed than before.
func (s *Store) wakeOfAccount(ctx context.Context, tx *sql.Tx, id shoal.AccountID) error {
	pks, err := collect(ctx, tx, scanInt, `SELECT pk FROM accounts WHERE id = $1`, string(id))
	if err != nil || len(pks) == 0 {
		return err
	}
	return s.wakeWaiting(ctx, tx, pks[0], accountReasons()...)
}

// wakeOfSquid makes a squid's run look again that waits for an account: the
// squid has others than before.
func (s *Store) wakeOfSquid(ctx context.Context, tx *sql.Tx, pk int64) error {
	reasons := accountReasons()
	args := []any{pk}
	for _, reason := range reasons {
		args = append(args, string(reason))
	}
	return s.wakeWhere(ctx, tx, ` WHERE r.status = 'paused' AND r.squid_pk = $1 AND r.done_reason IN (`+params(2, len(reasons))+`)`, args...)
}

// withUses fills in what accounts were used for.
func withUses(ctx context.Context, q querier, rows []accountRow, accounts []shoal.Account) error {
	for i := range rows {
		uses, err := usesOf(ctx, q, rows[i].pk)
		if err != nil {
			return err
		}
		accounts[i].Uses = uses
		t := times{}
		const state = `SELECT batch_used, batch_at, cool_until FROM accounts WHERE pk = $1`
		err = q.QueryRowContext(ctx, state, rows[i].pk).Scan(&accounts[i].Batch.N, t.into(&accounts[i].Batch.At), t.into(&accounts[i].CoolUntil))
		if err != nil {
			return fmt.Errorf("read how an account stands: %w", err)
		}
	}
	return nil
}

// KeepJar keeps the cookies that a site renewed, unless the account got others
// since sealed was read. It reports whether it did.
func (s *Store) KeepJar(ctx context.Context, account int64, sealed, renewed []byte) (bool, error) {
	var n int64
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE accounts SET jar = $3 WHERE pk = $1 AND jar = $2 AND deleted_at = 0`, account, sealed, renewed)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return false, fmt.Errorf("keep the cookies of account %d: %w", account, err)
	}
	return n > 0, nil
}
