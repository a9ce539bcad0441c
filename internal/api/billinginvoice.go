package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"shoal"
)

// money is an amount in hundredths.
type money int64

// MarshalJSON implements json.Marshaler.
func (m money) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%02d", int64(m)/100, int64(m)%100), nil
}

type wireInvoice struct {
	ID          shoal.InvoiceID   `json:"id"`
	Object      string            `json:"object"`
	Number      string            `json:"number"`
	Workspace   shoal.WorkspaceID `json:"workspace"`
	Crawler     orNull            `json:"crawler"`
	Amount      money             `json:"amount"`
	Currency    string            `json:"currency"`
	Note        string            `json:"note"`
	Status      string            `json:"status"`
	CreatedAt   stamp             `json:"created_at"`
	DueAt       stamp             `json:"due_at"`
	PaidAt      stamp             `json:"paid_at"`
	CancelledAt stamp             `json:"cancelled_at"`
}

func (a *API) appendInvoice(b []byte, i *shoal.Invoice) []byte {
	return appendJSON(b, wireInvoice{i.ID, "invoice", i.Number, i.Workspace, orNull(i.CrawlerID), money(i.Cents), i.Currency, i.Note,
		i.Status(a.now()), stamp(i.CreatedAt), stamp(i.DueAt), stamp(i.PaidAt), stamp(i.CancelledAt)})
}

// dueAfter is when an invoice is due unless it says so.
const dueAfter = 30 * 24 * time.Hour

func (a *API) createInvoice(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("workspace", "amount")
	amount := f.decimal("amount", 0.01, maxAmount)
	i := shoal.Invoice{Cents: int64(math.Round(amount * 100)), Currency: f.text("currency"), Note: f.label("note"), DueAt: f.moment("due_at")}
	if f.err == nil && math.Abs(amount*100-float64(i.Cents)) > 1e-6 {
		f.bad("amount", "amount has more than two digits after the point")
	}
	if i.Currency == "" {
		i.Currency = "EUR"
	} else if len(i.Currency) != 3 || strings.ContainsFunc(i.Currency, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		f.bad("currency", "currency is %q; it must be a code of three letters such as EUR", clip(i.Currency, 20))
	}
	if i.DueAt.IsZero() {
		i.DueAt = a.now().Add(dueAfter).UTC()
	}
	ws, crawler := f.text("workspace"), f.text("crawler")
	if err := f.error(); err != nil {
		return err
	}
	if i.Workspace, err = a.workspaceOf(c, ws); err != nil {
		return err
	}
	if crawler != "" {
		p, err := a.catalogue.Lookup(c.ctx(), i.Workspace, crawler)
		if err != nil {
			return err
		}
		i.CrawlerID = p.Info().ID
	}
	ctx := effectCtx(c, http.StatusCreated, func(i shoal.Invoice) []byte { return a.appendInvoice(nil, &i) })
	if i, err = a.store.CreateInvoice(ctx, i); err != nil {
		return err
	}
	a.log.Info("invoice made", "invoice", i.Number, "workspace", string(i.Workspace), "by", string(c.key.UserID))
	return c.send(http.StatusCreated, a.appendInvoice(nil, &i))
}

// listInvoices lists the invoices of the caller's workspace or, for staff, of
// one or of all.
func (a *API) listInvoices(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	unpaid, err := flagParam(q.Get("unpaid"))
	if err != nil {
		return err
	}
	ws := c.ws
	if c.route.staff {
		if ws = ""; q.Get("workspace") != "" {
			if ws, err = a.workspaceOf(c, q.Get("workspace")); err != nil {
				return err
			}
		}
	}
	l, err := a.store.Invoices(c.ctx(), ws, unpaid, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, a.appendInvoice)
}

func flagParam(v string) (bool, error) {
	switch v {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, shoal.Invalid("InvalidParameterValue", "unpaid", "unpaid is %q; it must be true or false", clip(v, 40))
}

var errInvoiceNotFound = shoal.NotFound("InvoiceDoesNotExist", "invoice", "Invoice not found")

func (a *API) getInvoice(c *call) error {
	id, err := id32[shoal.InvoiceID](c, errInvoiceNotFound)
	if err != nil {
		return err
	}
	i, err := a.store.Invoice(c.ctx(), id)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, a.appendInvoice(nil, &i))
}

func (a *API) payInvoice(c *call) error {
	return a.closeInvoice(c, "invoice paid", a.store.PayInvoice)
}

func (a *API) cancelInvoice(c *call) error {
	return a.closeInvoice(c, "invoice cancelled", a.store.CancelInvoice)
}

func (a *API) closeInvoice(c *call, what string, do func(context.Context, shoal.InvoiceID) (shoal.Invoice, error)) error {
	id, err := id32[shoal.InvoiceID](c, errInvoiceNotFound)
	if err != nil {
		return err
	}
	i, err := do(effectCtx(c, http.StatusOK, func(i shoal.Invoice) []byte { return a.appendInvoice(nil, &i) }), id)
	if err != nil {
		return err
	}
	a.log.Info(what, "invoice", i.Number, "workspace", string(i.Workspace), "by", string(c.key.UserID))
	return c.send(http.StatusOK, a.appendInvoice(nil, &i))
}
