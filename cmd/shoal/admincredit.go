package main

import (
	"context"
	"fmt"

	"shoal"
	"shoal/client"
)

// adminCreditCmd holds the verbs of credits.
type adminCreditCmd struct {
	Show  adminCreditShow  `cmd:"" help:"Show a workspace's plan, credits and slots."`
	Grant adminCreditGrant `cmd:"" help:"Give a workspace bonus credits; runs that waited for some go on."`
	Take  adminCreditTake  `cmd:"" help:"Take bonus credits back that were not spent."`
	Ls    adminCreditLs    `cmd:"" help:"List the movements of a workspace's credits, newest first."`
}

// Help is the long help of the verb.
func (adminCreditCmd) Help() string {
	return `A workspace is named by its id (shoal admin workspace ls) or by the email of a user in it.

  shoal admin credit grant ann@example.com 500 --note 'sorry for Monday'

Bonus credits do not expire, and are spent last. ls shows all that changed the balance besides what
runs consumed: allowances, rollovers, expiries and grants.`
}

type creditWorkspace struct {
	Workspace string `arg:"" help:"Id of the workspace, or email of a user in it."`
}

type adminCreditShow struct {
	adminFlags
	creditWorkspace
}

func (c *adminCreditShow) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		b, err := api.WorkspaceBalance(ctx, c.Workspace)
		return showBalance(o, c.JSON, c.Workspace, b, err)
	})
}

// showBalance prints a balance.
func showBalance(o *output, asJSON bool, workspace string, b *client.Balance, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(o.out, b)
	}
	left := count(b.Available-b.Consumed) + " of " + count(b.Available)
	if b.Available >= shoal.Unlimited {
		left = "unlimited"
	}
	slots := count(b.TotalAvailableSlots)
	if b.TotalAvailableSlots >= shoal.Unlimited {
		slots = "unlimited"
	}
	o.printf("workspace     %s\nplan          %s, %s\ncredits left  %s (bonus %s, rolled over %s)\nconsumed      %s\nslots in use  %s of %s\nunpaid bill   %s\nnext period   %s\n",
		workspace, b.Name, b.Interval, left, count(b.BonusCredit), count(b.RolloverCredit), count(b.Consumed),
		count(b.UsedSlots), slots, yes(b.HasUnpaidBill), minute(b.ResetTime, "never"))
	return nil
}

type creditAmount struct {
	creditWorkspace
	Credits float64 `arg:"" help:"How many credits."`
	Note    string  `help:"Why, for the list of movements." short:"n"`
}

type adminCreditGrant struct {
	adminFlags
	creditAmount
}

func (c *adminCreditGrant) Run(ctx context.Context, o *output) error {
	return c.move(ctx, o, &c.adminFlags, 1)
}

type adminCreditTake struct {
	adminFlags
	creditAmount
}

func (c *adminCreditTake) Run(ctx context.Context, o *output) error {
	return c.move(ctx, o, &c.adminFlags, -1)
}

// move gives the credits, or with sign -1 takes them.
func (c *creditAmount) move(ctx context.Context, o *output, f *adminFlags, sign float64) error {
	if !(c.Credits > 0) { // nor NaN, which no comparison finds
		return &exit{exitUsage, fmt.Errorf("the number of credits is %v; it must be more than 0", c.Credits)}
	}
	return f.with(ctx, o, func(api *client.Client) error {
		b, err := api.GrantCredits(ctx, c.Workspace, sign*c.Credits, c.Note)
		return showBalance(o, f.JSON, c.Workspace, b, err)
	})
}

type adminCreditLs struct {
	adminFlags
	pageFlags
	creditWorkspace
}

func (c *adminCreditLs) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.CreditEntries(ctx, c.Workspace, c.window())
		if err != nil {
			return err
		}
		return report(o, c.JSON, p, []string{"AT", "WHAT", "OF", "CREDITS", "NOTE"}, func(e client.CreditEntry) []string {
			return []string{minute(e.At, ""), e.Kind, e.Pool, creditsText(e.Credits), e.Note}
		})
	})
}
