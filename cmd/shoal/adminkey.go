package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shoal/client"
)

// adminKeyCmd holds the verbs of API keys.
type adminKeyCmd struct {
	Ls     adminKeyLs     `cmd:"" help:"List API keys, newest first."`
	Create adminKeyCreate `cmd:"" help:"Make an API key; it is shown only then."`
	Revoke adminKeyRevoke `cmd:"" help:"End an API key, at once."`
}

type adminKeyLs struct {
	adminFlags
	pageFlags
	User string `help:"Keys of this user (id or email), for staff." placeholder:"USER" xor:"whose"`
	All  bool   `help:"Keys of all users, for staff." xor:"whose"`
	Old  bool   `help:"Those revoked or expired, too."`
}

func (c *adminKeyLs) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		// Who opened the data directory owns all of it.
		f := client.KeyFilter{All: c.All || c.Server == "", InForce: !c.Old}
		if c.User != "" {
			u, err := api.User(ctx, c.User)
			if err != nil {
				return err
			}
			f.User = u.ID
		}
		p, err := api.Keys(ctx, f, c.window())
		if err != nil {
			return err
		}
		return listing(o, c.JSON, p, []string{"ID", "KEY", "SCOPE", "NAME", "EXPIRES", "LAST USED", "STATE"}, func(k client.Key) []string {
			return []string{k.ID, k.Prefix + "…", k.Scope, k.Name, minute(k.ExpiresAt, "never"), minute(k.LastUsedAt, "never"), keyState(k)}
		})
	})
}

// minute writes a time in a table; unset is a word.
func minute(t client.Time, unset string) string {
	if t.IsZero() {
		return unset
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func keyState(k client.Key) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !k.IsActive:
		return "expired"
	}
	return "in force"
}

type adminKeyCreate struct {
	adminFlags
	Name    string `arg:"" help:"What or whom the key is for."`
	User    string `help:"User (id or email) whose key it will be, for staff; oneself unless given." placeholder:"USER"`
	Scope   string `help:"read: reads; run: changes squids, tasks and runs, too; admin: makes and revokes keys, too." enum:"read,run,admin" default:"run"`
	Expires string `help:"When it expires: 90d, 12h, or a date (UTC); never unless given." placeholder:"WHEN"`
}

func (c *adminKeyCreate) Run(ctx context.Context, o *output) error {
	expires, err := expiry(c.Expires, time.Now())
	if err != nil {
		return err
	}
	return c.with(ctx, o, func(api *client.Client) error {
		k, err := api.CreateKey(ctx, client.NewKey{User: c.User, Name: c.Name, Scope: c.Scope, ExpiresAt: client.Time{Time: expires}})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(o.out, k)
		}
		o.notef("Made the key %q, scope %s, expires %s, id %s.\nThe key, shown only now:\n", k.Name, k.Scope, minute(k.ExpiresAt, "never"), k.ID)
		o.printf("%s\n", k.Secret)
		return nil
	})
}

// expiry reads when a key expires: a number of days or hours from now, or a
// date or time in UTC; zero when text is empty.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour} {
		if n, err := strconv.ParseUint(strings.TrimSuffix(text, unit), 10, 20); err == nil && strings.HasSuffix(text, unit) && n > 0 {
			return now.Add(time.Duration(n) * length).UTC(), nil
		}
	}
	for _, form := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, &exit{exitUsage, fmt.Errorf("--expires is %q; it must be like 90d, 12h or 2030-01-31", text)}
}

type adminKeyRevoke struct {
	adminFlags
	Key     string `arg:"" help:"Id of the key; see: shoal admin key ls."`
	Anybody bool   `help:"It may be the key of any user, for staff."`
}

func (c *adminKeyRevoke) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		return api.RevokeKey(ctx, c.Key, c.Anybody || c.Server == "")
	})
}
