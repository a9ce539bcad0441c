package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shoal"
)

var errInvoiceNotFound = shoal.NotFound("InvoiceDoesNotExist", "invoice", "Invoice not found")

const (
	invoiceColumns = `SELECT i.pk, i.id, w.id, i.crawler_id, i.cents, i.currency, i.note, i.created_at, i.due_at, i.paid_at, i.cancelled_at`
	invoiceFrom    = ` FROM invoices i JOIN workspaces w ON w.pk = i.workspace_pk`
	// overdueInvoices are those of workspace $1 at time $2, the oldest first.
	overdueInvoices = ` FROM invoices o WHERE o.workspace_pk = $1 AND o.paid_at = 0 AND o.cancelled_at = 0 AND o.due_at <= $2`
)

// scanInvoice returns sql.ErrNoRows as it is.
func scanInvoice(r scanner) (i shoal.Invoice, err error) {
	var pk int64
	t := times{}
	err = r.Scan(&pk, &i.ID, &i.Workspace, &i.CrawlerID, &i.Cents, &i.Currency, &i.Note, t.into(&i.CreatedAt), t.into(&i.DueAt),
		t.into(&i.PaidAt), t.into(&i.CancelledAt))
	i.Number = invoiceNumber(pk)
	return i, err
}

func invoiceNumber(pk int64) string { return fmt.Sprintf("INV-%06d", pk) }

// CreateInvoice records an invoice (Workspace, CrawlerID, Cents, Currency, Note
// and DueAt of i).
func (s *Store) CreateInvoice(ctx context.Context, i shoal.Invoice) (made shoal.Invoice, err error) {
	made = i
	made.ID, made.CreatedAt = shoal.NewID[shoal.InvoiceID](), s.now()
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const q = `INSERT INTO invoices (id, workspace_pk, crawler_id, cents, currency, note, created_at, due_at)
			SELECT CAST($1 AS TEXT), pk, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS BIGINT), CAST($7 AS BIGINT)
			FROM workspaces WHERE id = $8 RETURNING pk`
		var pk int64
		err := tx.QueryRowContext(ctx, q, string(made.ID), string(i.CrawlerID), i.Cents, i.Currency, plain(i.Note),
			micros(made.CreatedAt), micros(i.DueAt), string(i.Workspace)).Scan(&pk)
		if errors.Is(err, sql.ErrNoRows) {
			return shoal.ErrWorkspaceNotFound
		}
		if err != nil {
			return err
		}
		made.Number = invoiceNumber(pk)
		return s.remember(ctx, tx, made)
	})
	if err != nil {
		return shoal.Invoice{}, fmt.Errorf("create invoice: %w", err)
	}
	return made, nil
}

// Invoices lists invoices, newest first, of one workspace or, when ws is empty,
// of all; unpaid leaves those out that are paid or cancelled.
func (s *Store) Invoices(ctx context.Context, ws shoal.WorkspaceID, unpaid bool, w shoal.Window) (l shoal.Listing[shoal.Invoice], err error) {
	where, args := ` WHERE 1 = 1`, []any{}
	if ws != "" {
		where, args = where+` AND w.id = $1`, append(args, string(ws))
	}
	if unpaid {
		where += ` AND i.paid_at = 0 AND i.cancelled_at = 0`
	}
	if err = s.read.QueryRowContext(ctx, `SELECT count(*)`+invoiceFrom+where, args...).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count invoices: %w", err)
	}
	tail := fmt.Sprintf(` ORDER BY i.pk DESC LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2)
	l.Items, err = collect(ctx, s.read, scanInvoice, invoiceColumns+invoiceFrom+where+tail, append(args, w.Limit, w.Offset())...)
	if err != nil {
		return l, fmt.Errorf("list invoices: %w", err)
	}
	return l, nil
}

// Invoice returns an invoice by id.
func (s *Store) Invoice(ctx context.Context, id shoal.InvoiceID) (shoal.Invoice, error) {
	return s.invoice(ctx, s.read, id, "")
}

func (s *Store) invoice(ctx context.Context, q querier, id shoal.InvoiceID, lock string) (shoal.Invoice, error) {
	i, err := scanInvoice(q.QueryRowContext(ctx, invoiceColumns+invoiceFrom+` WHERE i.id = $1`+lock, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return i, errInvoiceNotFound
	}
	if err != nil {
		return i, fmt.Errorf("read invoice: %w", err)
	}
	return i, nil
}

// PayInvoice records that an invoice was paid. Conflict when it is cancelled;
// one that is paid already stays as it is.
func (s *Store) PayInvoice(ctx context.Context, id shoal.InvoiceID) (shoal.Invoice, error) {
	return s.closeInvoice(ctx, id, func(i *shoal.Invoice) error {
		if !i.CancelledAt.IsZero() {
			return shoal.Conflict("InvoiceClosed", "invoice", "The invoice %s is cancelled: make another one", i.Number)
		}
		if i.PaidAt.IsZero() {
			i.PaidAt = s.now()
		}
		return nil
	})
}

// CancelInvoice withdraws an invoice. Conflict when it is paid; one that is
// cancelled already stays as it is.
func (s *Store) CancelInvoice(ctx context.Context, id shoal.InvoiceID) (shoal.Invoice, error) {
	return s.closeInvoice(ctx, id, func(i *shoal.Invoice) error {
		if !i.PaidAt.IsZero() {
			return shoal.Conflict("InvoiceClosed", "invoice", "The invoice %s is paid: it cannot be cancelled", i.Number)
		}
		if i.CancelledAt.IsZero() {
			i.CancelledAt = s.now()
		}
		return nil
	})
}

func (s *Store) closeInvoice(ctx context.Context, id shoal.InvoiceID, change func(*shoal.Invoice) error) (i shoal.Invoice, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if i, err = s.invoice(ctx, tx, id, s.db.dialect.forUpdateOf("i")); err != nil {
			return err
		}
		if err := change(&i); err != nil {
			return err
		}
		const q = `UPDATE invoices SET paid_at = $2, cancelled_at = $3 WHERE id = $1`
		if _, err := tx.ExecContext(ctx, q, string(id), micros(i.PaidAt), micros(i.CancelledAt)); err != nil {
			return err
		}
		return s.remember(ctx, tx, i)
	})
	if err != nil {
		return shoal.Invoice{}, fmt.Errorf("change invoice: %w", err)
	}
	return i, nil
}
