package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoal"
	"shoal/client"
)

// accountCmd holds the verbs of accounts.
type accountCmd struct {
	Ls      accountLs      `cmd:"" help:"List accounts, newest first."`
	Show    accountShow    `cmd:"" help:"Show an account and its limits."`
	Types   accountTypes   `cmd:"" help:"List the types of accounts that crawlers work with."`
	Sync    accountSync    `cmd:"" help:"Link an account, or refresh one, by the cookies of a session."`
	Login   accountLogin   `cmd:"" help:"Link an account, or refresh one, by logging in."`
	Refresh accountRefresh `cmd:"" help:"Ask the site whether a session still holds; log in again if the password is remembered."`
	Limits  accountLimits  `cmd:"" help:"Show or set what an account may be used for in a day."`
	Rm      accountRm      `cmd:"" help:"Delete an account, with its cookies and its password."`
}

// Help is the long help of the verb.
func (accountCmd) Help() string {
	return `An account is a logged-in session on a site, for crawlers that read what only members see.
  shoal account types                               which types there are
  shoal account login example-wiki ada              log in; the password is asked for
  shoal account sync example-wiki --cookies FILE    or take over a browser's session
  shoal squid update SQUID --account ada            let a squid work with it
Cookies and passwords are sealed at rest and never shown again. When a session ends, the
runs that need it pause, and go on by themselves once the account is refreshed.

With --server or --key these verbs speak to a server; else they open the data directory.`
}

// accountFlags say where the accounts are: on a server, or in a data directory
// that is opened by this process.
type accountFlags struct {
	Server string `help:"Ask this server; without it and --key the data directory is opened." env:"SHOAL_SERVER" placeholder:"URL"`
	Token  string `help:"API key of the server." env:"SHOAL_TOKEN" short:"k" name:"key" placeholder:"KEY"`
	JSON   bool   `help:"Print JSON, as the API answers." name:"json"`
	platformFlags
}

// with does act with a client of the server, or of the data in this process.
func (f *accountFlags) with(ctx context.Context, o *output, act func(*client.Client) error) error {
	if f.Server != "" || f.Token != "" {
		flags := serverFlags{Server: f.Server, Token: f.Token}
		if flags.Server == "" {
			flags.Server = "http://127.0.0.1:8080"
		}
		api, err := flags.client()
		if err != nil {
			return err
		}
		return act(api)
	}
	p, err := openPlatform(ctx, f.config(o))
	if shoal.CodeOf(err) == "DataDirInUse" {
		return fmt.Errorf("the data directory %s is in use: if a server runs there, speak to it with --key KEY: %w", f.Data, err)
	}
	if err != nil {
		return err
	}
	stop := p.start()
	return errors.Join(act(p.client()), stop())
}

// account finds an account by id or user name.
func account(ctx context.Context, api *client.Client, name string) (*client.Account, error) {
	if shoal.ValidID(name) {
		return api.Account(ctx, name)
	}
	var found []client.Account
	for page := 1; ; page++ {
		p, err := api.Accounts(ctx, client.Window{Page: page, Limit: 100})
		if err != nil {
			return nil, err
		}
		for _, a := range p.Data {
			if strings.EqualFold(a.Username, name) {
				found = append(found, a)
			}
		}
		if page >= p.TotalPages {
			break
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("there is no account %q; see: shoal account ls", name)
	case 1:
		return &found[0], nil
	}
	var ids []string
	for _, a := range found {
		ids = append(ids, a.ID+" ("+a.Type+")")
	}
	return nil, &exit{exitUsage, fmt.Errorf("%d accounts are called %q; name one by its id: %s", len(found), name, strings.Join(ids, ", "))}
}

type accountLs struct {
	accountFlags
	pageFlags
}

func (c *accountLs) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.Accounts(ctx, c.window())
		if err != nil {
			return err
		}
		return listing(o, c.JSON, p, []string{"ID", "USER NAME", "TYPE", "STATUS", "SYNCHRONIZED", "SQUIDS"}, func(a client.Account) []string {
			return []string{a.ID, a.Username, a.Type, a.StatusInfo, minute(a.SyncedAt, "never"), strconv.Itoa(len(a.Squids))}
		})
	})
}

type accountShow struct {
	accountFlags
	Account string `arg:"" help:"User name or id."`
}

func (c *accountShow) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		a, err := account(ctx, api, c.Account)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(o.out, a)
		}
		var squids []string
		for _, s := range a.Squids {
			squids = append(squids, s.Name)
		}
		t := table{heads: []string{"ACCOUNT", a.Username}, whole: 1}
		for _, line := range [][]string{{"id", a.ID}, {"type", a.Type}, {"site", a.BaseURL}, {"status", a.StatusInfo},
			{"", a.StatusDesc}, {"synchronized", minute(a.SyncedAt, "never")}, {"password", map[bool]string{true: "remembered", false: "not kept"}[a.Remembered]},
			{"squids", strings.Join(squids, ", ")}} {
			t.add(line...)
		}
		t.print(o.out)
		printLimits(o, a)
		return nil
	})
}

// printLimits prints an account's limits, if its type has some.
func printLimits(o *output, a *client.Account) {
	if len(a.Params.Default) == 0 {
		return
	}
	t := table{heads: []string{"LIMIT", "SET TO", "DEFAULT", "AT MOST", "USED", "WHAT"}, whole: 5}
	for _, name := range slices.Sorted(maps.Keys(a.Params.Default)) {
		l, user := a.Params.Default[name], a.Params.User[name]
		used := user["value"]
		if used == nil {
			used = user["current"]
		}
		t.add(name, number(user["max"]), count(l.Default), count(l.Max), number(used), l.Description)
	}
	t.print(o.out)
}

// number writes a number of a JSON answer.
func number(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return ""
}

type accountTypes struct{ accountFlags }

func (c *accountTypes) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.AccountTypes(ctx)
		if err != nil {
			return err
		}
		return listing(o, c.JSON, p, []string{"TYPE", "NAME", "SITE", "BY", "COOKIES"}, func(t client.AccountType) []string {
			by := "cookies"
			if t.Login {
				by = "cookies, log-in"
			}
			var cookies []string
			for _, k := range t.Cookies {
				if k.Required {
					cookies = append(cookies, k.Name)
				}
			}
			return []string{t.Name, t.Title, t.Domain, by, strings.Join(cookies, ", ")}
		})
	})
}

type accountLimits struct {
	accountFlags
	Account string   `arg:"" help:"User name or id."`
	Limit   []string `arg:"" optional:"" help:"Limits to set, as name=number; name= takes one back to its default." placeholder:"NAME=N"`
}

func (c *accountLimits) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		a, err := account(ctx, api, c.Account)
		if err != nil {
			return err
		}
		params := map[string]any{}
		for _, word := range c.Limit {
			name, value, ok := strings.Cut(word, "=")
			if !ok || name == "" {
				return &exit{exitUsage, fmt.Errorf("%q is not of the form name=number", word)}
			}
			params[name] = nil
			if value != "" {
				if params[name], err = strconv.ParseInt(value, 10, 64); err != nil {
					return &exit{exitUsage, fmt.Errorf("%s is %q; it must be a whole number", name, value)}
				}
			}
		}
		if len(params) > 0 {
			if a, err = api.SetAccountLimits(ctx, a.ID, params); err != nil {
				return err
			}
		}
		if c.JSON {
			return printJSON(o.out, a)
		}
		if len(a.Params.Default) == 0 {
			o.notef("Accounts of the type %s have no limits.\n", a.Type)
		}
		printLimits(o, a)
		return nil
	})
}

type accountRm struct {
	accountFlags
	Account string `arg:"" help:"User name or id."`
}

func (c *accountRm) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		a, err := account(ctx, api, c.Account)
		if err != nil {
			return err
		}
		if err := api.DeleteAccount(ctx, a.ID); err != nil {
			return err
		}
		o.notef("Deleted the account %s, with its cookies.\n", a.Username)
		return nil
	})
}

// synchronized waits for the end of a synchronization and says what came of it.
func (f *accountFlags) synchronized(ctx context.Context, o *output, api *client.Client, y *client.Sync) error {
	y, err := ended(ctx, api, y)
	if err != nil {
		return err
	}
	if f.JSON {
		if err := printJSON(o.out, y); err != nil {
			return err
		}
	}
	if y.StatusCode >= 400 {
		return &exit{exitOtherReason, errors.New(y.StatusText)}
	}
	if f.JSON || y.Account == nil {
		return nil
	}
	a, err := api.Account(ctx, *y.Account)
	if err != nil {
		return err
	}
	o.printf("%s\n", a.ID)
	o.notef("The account %s is synchronized.\n", a.Username)
	if len(a.Squids) == 0 {
		o.notef("Next: shoal squid update SQUID --account %s\n", a.ID)
	}
	return nil
}

// ended waits for the end of a synchronization.
func ended(ctx context.Context, api *client.Client, y *client.Sync) (*client.Sync, error) {
	for wait := 50 * time.Millisecond; !y.Done(); wait = min(2*wait, time.Second) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		var err error
		if y, err = api.Sync(ctx, y.ID); err != nil {
			return nil, err
		}
	}
	return y, nil
}
