package main

import (
	"context"
	"time"

	"shoal/client"
)

// cursorCmd holds the verbs of cursors.
type cursorCmd struct {
	Ls  cursorLs  `cmd:"" help:"List who takes a squid's results, and how far each is behind."`
	Set cursorSet `cmd:"" help:"Set a cursor to another place, so that results are given again or passed over."`
	Rm  cursorRm  `cmd:"" help:"Forget how far a consumer was."`
}

type cursorLs struct {
	serverFlags
	pageFlags
	Squid string `arg:"" help:"Id of the squid."`
}

func (c *cursorLs) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.Cursors(ctx, c.Squid, c.window())
	if err != nil {
		return err
	}
	return listing(o, c.JSON, p, []string{"NAME", "TAKEN", "LEFT", "ACKNOWLEDGED"}, func(cur client.Cursor) []string {
		acked := "never"
		if !cur.AckedAt.IsZero() {
			acked = cur.AckedAt.Format(time.DateTime)
		}
		return []string{cur.Name, count(cur.Taken), count(cur.Left), acked}
	})
}

type cursorSet struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
	Name  string `arg:"" help:"Name of the cursor; one that does not exist is made."`
	To    string `help:"beginning, end, or the id of a run: its results and all later ones are given." default:"beginning" placeholder:"PLACE"`
}

func (c *cursorSet) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	set, err := api.SetCursor(ctx, c.Squid, c.Name, c.To)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, set)
	}
	o.printf("%s has %s to take\n", set.Name, plural(set.Left, "result"))
	return nil
}

type cursorRm struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
	Name  string `arg:"" help:"Name of the cursor."`
}

func (c *cursorRm) Run(ctx context.Context, _ *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return api.DeleteCursor(ctx, c.Squid, c.Name)
}
