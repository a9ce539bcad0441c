package main

import (
	"context"

	"shoal/client"
)

// adminWorkspaceCmd holds the verbs of workspaces.
type adminWorkspaceCmd struct {
	Ls     adminWorkspaceLs     `cmd:"" help:"List workspaces, newest first."`
	Rename adminWorkspaceRename `cmd:"" help:"Give a workspace another name."`
}

type adminWorkspaceLs struct {
	adminFlags
	pageFlags
}

func (c *adminWorkspaceLs) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.Workspaces(ctx, c.window())
		if err != nil {
			return err
		}
		return listing(o, c.JSON, p, []string{"ID", "NAME", "PLAN", "USERS", "SQUIDS", "MADE"}, func(w client.Workspace) []string {
			return []string{w.ID, w.Name, w.Plan, count(w.Users), count(w.Squids), minute(w.CreatedAt, "")}
		})
	})
}

type adminWorkspaceRename struct {
	adminFlags
	Workspace string `arg:"" help:"Id of the workspace."`
	Name      string `arg:"" help:"New name."`
}

func (c *adminWorkspaceRename) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		w, err := api.RenameWorkspace(ctx, c.Workspace, c.Name)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(o.out, w)
		}
		o.notef("%s is now called %s\n", w.ID, w.Name)
		return nil
	})
}
