package main

import (
	"context"
	"errors"

	"shoal/client"
)

// adminUserCmd holds the verbs of users.
type adminUserCmd struct {
	Ls      adminUserLs      `cmd:"" help:"List users, newest first."`
	Show    adminUserShow    `cmd:"" help:"Show a user."`
	Create  adminUserCreate  `cmd:"" help:"Make a user with a workspace and a first API key."`
	Update  adminUserUpdate  `cmd:"" help:"Change a user's email, names or rights."`
	Disable adminUserDisable `cmd:"" help:"Switch a user off: their API keys stop at once."`
	Enable  adminUserEnable  `cmd:"" help:"Switch a user on again."`
}

type adminUserLs struct {
	adminFlags
	pageFlags
	Email string `help:"Only those whose email contains this."`
}

func (c *adminUserLs) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.Users(ctx, c.Email, c.window())
		if err != nil {
			return err
		}
		return listing(o, c.JSON, p, []string{"ID", "EMAIL", "ACTIVE", "STAFF", "LOG-INS", "WORKSPACE"}, func(u client.User) []string {
			return []string{u.ID, u.Email, yes(u.IsActive), yes(u.IsStaff), count(u.LoginCount), u.Workspace}
		})
	})
}

// yes is a boolean in a table.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// namedUser is a user that the command line names.
type namedUser struct {
	User string `arg:"" help:"Id or email of the user."`
}

type adminUserShow struct {
	adminFlags
	namedUser
}

func (c *adminUserShow) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		u, err := api.User(ctx, c.User)
		if err != nil {
			return err
		}
		return printJSON(o.out, u)
	})
}

type adminUserCreate struct {
	adminFlags
	Email         string `arg:"" help:"Email of the user; each has their own."`
	FirstName     string `help:"First name."`
	LastName      string `help:"Last name."`
	Staff         bool   `help:"One of the staff, who administer the server."`
	Verified      bool   `help:"The email is known to be theirs."`
	Workspace     string `help:"Id of a workspace to join, instead of one of their own." placeholder:"ID"`
	WorkspaceName string `help:"Name of their new workspace; the email unless given." placeholder:"NAME"`
}

// Help is the long help of the verb.
func (adminUserCreate) Help() string {
	return `Prints the first API key, of scope admin, which is shown only now. Users of one workspace
share its squids, runs, accounts and plan; users of different ones see nothing of each other.
  shoal admin user create ann@example.com
  shoal admin user create bob@example.com --workspace ID    (of Ann's: shoal admin workspace ls)`
}

func (c *adminUserCreate) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		u, err := api.CreateUser(ctx, client.NewUser{
			Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, IsStaff: c.Staff, EmailVerified: c.Verified,
			Workspace: c.Workspace, WorkspaceName: c.WorkspaceName,
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(o.out, u)
		}
		o.notef("Made the user %s, id %s, in workspace %s.\nAPI key, shown only now:\n", u.Email, u.ID, u.Workspace)
		o.printf("%s\n", u.Key)
		return nil
	})
}

type adminUserUpdate struct {
	adminFlags
	namedUser
	Email     *string `help:"New email."`
	FirstName *string `help:"First name."`
	LastName  *string `help:"Last name."`
	Staff     *bool   `help:"One of the staff, who administer the server." negatable:""`
	Verified  *bool   `help:"The email is known to be theirs." negatable:""`
}

func (c *adminUserUpdate) Run(ctx context.Context, o *output) error {
	changes := map[string]any{}
	for name, v := range map[string]*string{"email": c.Email, "first_name": c.FirstName, "last_name": c.LastName} {
		if v != nil {
			changes[name] = *v
		}
	}
	for name, v := range map[string]*bool{"is_staff": c.Staff, "email_verified": c.Verified} {
		if v != nil {
			changes[name] = *v
		}
	}
	if len(changes) == 0 {
		return &exit{exitUsage, errors.New("nothing to change: give --email, --first-name, --last-name, --staff or --verified (--no-staff, --no-verified)")}
	}
	return c.change(ctx, o, c.User, changes)
}

// change changes a user and says how they are now.
func (f *adminFlags) change(ctx context.Context, o *output, user string, changes map[string]any) error {
	return f.with(ctx, o, func(api *client.Client) error {
		u, err := api.UpdateUser(ctx, user, changes)
		if err != nil {
			return err
		}
		if f.JSON {
			return printJSON(o.out, u)
		}
		o.notef("%s: active %s, staff %s\n", u.Email, yes(u.IsActive), yes(u.IsStaff))
		return nil
	})
}

type adminUserDisable struct {
	adminFlags
	namedUser
}

func (c *adminUserDisable) Run(ctx context.Context, o *output) error {
	return c.change(ctx, o, c.User, map[string]any{"is_active": false})
}

type adminUserEnable struct {
	adminFlags
	namedUser
}

func (c *adminUserEnable) Run(ctx context.Context, o *output) error {
	return c.change(ctx, o, c.User, map[string]any{"is_active": true})
}
