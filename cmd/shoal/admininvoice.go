package main

import (
	"context"
	"fmt"

	"shoal/client"
)

// adminInvoiceCmd holds the verbs of invoices.
type adminInvoiceCmd struct {
	Ls     adminInvoiceLs     `cmd:"" help:"List invoices, newest first."`
	Create adminInvoiceCreate `cmd:"" help:"Record an invoice."`
	Pay    adminInvoicePay    `cmd:"" help:"Record that an invoice was paid."`
	Cancel adminInvoiceCancel `cmd:"" help:"Withdraw an invoice."`
}

// Help is the long help of the verb.
func (adminInvoiceCmd) Help() string {
	return `Shoal takes no money: it records what is owed and what was paid. When an invoice is overdue its
workspace's new runs end with last_invoice_not_paid; a run that is running goes on to its end.
An invoice with --crawler is for the maintenance of that crawler and concerns its runs alone
(maintenance_fees_not_paid).

  shoal admin invoice create ann@example.com 49.90 --due 2026-12-31
  shoal admin invoice pay ID`
}

type adminInvoiceLs struct {
	adminFlags
	pageFlags
	Workspace string `help:"Only of this workspace (id, or email of a user in it)." placeholder:"WORKSPACE"`
	Unpaid    bool   `help:"Only those neither paid nor cancelled."`
}

func (c *adminInvoiceLs) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.Invoices(ctx, c.Workspace, c.Unpaid, c.window())
		if err != nil {
			return err
		}
		return listing(o, c.JSON, p, []string{"ID", "NUMBER", "AMOUNT", "DUE", "STATUS", "WORKSPACE", "FOR"}, func(i client.Invoice) []string {
			what := "plan"
			if i.Crawler != nil {
				what = "maintenance of " + *i.Crawler
			}
			return []string{i.ID, i.Number, amount(i), minute(i.DueAt, ""), i.Status, i.Workspace, what}
		})
	})
}

func amount(i client.Invoice) string { return fmt.Sprintf("%.2f %s", i.Amount, i.Currency) }

type adminInvoiceCreate struct {
	adminFlags
	Workspace string  `arg:"" help:"Id of the workspace, or email of a user in it."`
	Amount    float64 `arg:"" help:"How much is owed."`
	Currency  string  `help:"Its code of three letters." default:"EUR"`
	Due       string  `help:"When it is due (UTC); in 30 days unless given." placeholder:"DATE"`
	Crawler   string  `help:"The crawler whose maintenance it is for (id or slug)." placeholder:"CRAWLER"`
	Note      string  `help:"What it is for." short:"n"`
}

func (c *adminInvoiceCreate) Run(ctx context.Context, o *output) error {
	fields := map[string]any{"workspace": c.Workspace, "amount": c.Amount, "currency": c.Currency}
	for field, text := range map[string]string{"due_at": c.Due, "crawler": c.Crawler, "note": c.Note} {
		if text != "" {
			fields[field] = text
		}
	}
	return c.with(ctx, o, func(api *client.Client) error {
		i, err := api.CreateInvoice(ctx, fields)
		return invoiced(o, c.JSON, i, err)
	})
}

func invoiced(o *output, asJSON bool, i *client.Invoice, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(o.out, i)
	}
	o.notef("%s over %s, due %s: %s\n", i.Number, amount(*i), minute(i.DueAt, ""), i.Status)
	o.printf("%s\n", i.ID)
	return nil
}

type adminInvoicePay struct {
	adminFlags
	Invoice string `arg:"" help:"Id of the invoice; see: shoal admin invoice ls."`
}

func (c *adminInvoicePay) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		i, err := api.PayInvoice(ctx, c.Invoice)
		return invoiced(o, c.JSON, i, err)
	})
}

type adminInvoiceCancel struct {
	adminFlags
	Invoice string `arg:"" help:"Id of the invoice; see: shoal admin invoice ls."`
}

func (c *adminInvoiceCancel) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		i, err := api.CancelInvoice(ctx, c.Invoice)
		return invoiced(o, c.JSON, i, err)
	})
}
