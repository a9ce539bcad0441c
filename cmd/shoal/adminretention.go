package main

import (
	"context"
	"errors"
	"fmt"

	"shoal/client"
)

// adminRetentionCmd holds the verbs of what is kept for how long.
type adminRetentionCmd struct {
	Show adminRetentionShow `cmd:"" help:"Show the rules, and what is due by them."`
	Set  adminRetentionSet  `cmd:"" help:"Say for how many days files and results are kept."`
}

// Help is the long help of the verb.
func (adminRetentionCmd) Help() string {
	return `All is kept for ever unless you say otherwise. Files of results can be made again from the results:
they go some days after somebody last wanted them. Results go some days after their run ended; the
run stays with its figures, and says that its results were removed. Nothing of an active run goes.

  shoal admin retention set --files 30 --dry-run           what would go
  shoal admin retention set --files 30
  shoal admin retention set --results 90 --workspace ann@example.com
  shoal admin retention set --results 7 --squid SQUID
  shoal admin retention set --results 0                    for ever again

Of several rules the shortest holds. What is due goes within a quarter of an hour.`
}

type adminRetentionShow struct{ adminFlags }

// Run does the verb.
func (c *adminRetentionShow) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		r, err := api.Retention(ctx)
		return showRetention(o, c.JSON, r, err)
	})
}

type adminRetentionSet struct {
	adminFlags
	Files     *int   `help:"Days that a file is kept after its last use; 0: for ever." placeholder:"DAYS"`
	Results   *int   `help:"Days that results are kept after their run ended; 0: for ever." placeholder:"DAYS"`
	Workspace string `help:"Whose --results these are: id of the workspace, or email of a user in it." placeholder:"WORKSPACE"`
	Squid     string `help:"Whose --results these are: id of the squid." placeholder:"SQUID"`
	DryRun    bool   `help:"Change nothing: only say what would go."`
}

// Run does the verb.
func (c *adminRetentionSet) Run(ctx context.Context, o *output) error {
	rules := map[string]any{}
	for name, days := range map[string]*int{"file_days": c.Files, "result_days": c.Results} {
		if days != nil {
			rules[name] = *days
		}
	}
	if len(rules) == 0 {
		return &exit{exitUsage, errors.New("say what is kept for how long: --files DAYS, --results DAYS or both")}
	}
	for name, id := range map[string]string{"workspace": c.Workspace, "squid": c.Squid} {
		if id != "" {
			rules[name] = id
		}
	}
	if c.DryRun {
		rules["dry_run"] = true
	}
	return c.with(ctx, o, func(api *client.Client) error {
		r, err := api.SetRetention(ctx, rules)
		if err == nil && c.DryRun && !c.JSON {
			o.printf("It would remove %s\n", dueText(r))
			return nil
		}
		return showRetention(o, c.JSON, r, err)
	})
}

func showRetention(o *output, asJSON bool, r *client.Retention, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(o.out, r)
	}
	o.printf("files    %s\nresults  %s\n", keptText(r.FileDays, "their last use"), keptText(r.ResultDays, "their run ended"))
	for _, rule := range r.Rules {
		whose := "workspace " + rule.Workspace
		if rule.Squid != "" {
			whose = "squid " + rule.Squid
		}
		o.printf("results  %s: %s (%s)\n", keptText(rule.ResultDays, "their run ended"), whose, rule.Name)
	}
	o.printf("due now  %s\n", dueText(r))
	return nil
}

func keptText(days int, after string) string {
	if days == 0 {
		return "kept for ever"
	}
	return fmt.Sprintf("kept for %s after %s", plural(int64(days), "day"), after)
}

func dueText(r *client.Retention) string {
	return fmt.Sprintf("%s (%d MB), and %s of %s", plural(r.Due.Files, "file"), r.Due.Bytes>>20, plural(r.Due.Results, "result"), plural(r.Due.Runs, "run"))
}
