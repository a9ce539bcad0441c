package main

import (
	"context"
	"fmt"
	"strconv"

	"shoal/client"
)

// adminPlanCmd holds the verbs of plans.
type adminPlanCmd struct {
	Ls     adminPlanLs     `cmd:"" help:"List plans, newest first."`
	Create adminPlanCreate `cmd:"" help:"Make a plan."`
	Update adminPlanUpdate `cmd:"" help:"Change a plan's terms."`
	Rm     adminPlanRm     `cmd:"" help:"Delete a plan that no workspace is on."`
	Assign adminPlanAssign `cmd:"" help:"Put a workspace on a plan; a period begins."`
}

// Help is the long help of the verb.
func (adminPlanCmd) Help() string {
	return `A plan says what a workspace may use: credits of a period, slots of its running runs together,
premium crawlers. New workspaces are on the plan "unlimited", which counts and refuses nothing.

  shoal admin plan create pro --credits 100000 --slots 10 --rollover 20000 --premium
  shoal admin plan assign ann@example.com pro --timezone Europe/Paris

Credits are spent in the order in which they would be lost: what was rolled over first, then the
period's, then the bonus. A changed plan reaches its workspaces with their next period.`
}

type adminPlanLs struct {
	adminFlags
	pageFlags
}

func (c *adminPlanLs) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.Plans(ctx, c.window())
		if err != nil {
			return err
		}
		return listing(o, c.JSON, p, []string{"NAME", "CREDITS", "INTERVAL", "ROLLOVER", "SLOTS", "PREMIUM", "FORCE"}, planRow)
	})
}

func planRow(p client.Plan) []string {
	slots := "unlimited"
	if p.Slots != nil {
		slots = count(*p.Slots)
	}
	rollover := orUnlimited(p.RolloverMax, "all")
	if p.RolloverDays > 0 {
		rollover += fmt.Sprintf(" for %d days", p.RolloverDays)
	}
	return []string{p.Name, orUnlimited(p.Credits, "unlimited"), p.Interval, rollover, slots, yes(p.Premium), yes(p.ForceLaunch)}
}

// orUnlimited writes a number of credits, or the word for none.
func orUnlimited(n *float64, word string) string {
	if n == nil {
		return word
	}
	return creditsText(*n)
}

func creditsText(n float64) string {
	if n == float64(int64(n)) {
		return count(int64(n))
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

// planTerms are the terms of a plan on the command line; empty: not given.
type planTerms struct {
	Credits      string `help:"Credits of a period, or unlimited." placeholder:"N"`
	Interval     string `help:"How long a period lasts: monthly or daily." enum:"monthly,daily," default:""`
	Rollover     string `help:"How many unspent credits go over into the next period at most, or all." placeholder:"N"`
	RolloverDays *int   `help:"How many days they last; 0: until that period ends." placeholder:"N"`
	Slots        string `help:"Slots of all running runs together, or unlimited." placeholder:"N"`
	Premium      *bool  `help:"Include premium crawlers." negatable:""`
	ForceLaunch  *bool  `help:"Let people start runs over the slots, by force_launch." negatable:""`
}

// fields are the terms that were given, as the API takes them.
func (t *planTerms) fields() (map[string]any, error) {
	out := map[string]any{}
	for _, n := range []struct{ flag, field, text, none string }{
		{"--credits", "credits", t.Credits, "unlimited"}, {"--rollover", "rollover_max", t.Rollover, "all"}, {"--slots", "slots", t.Slots, "unlimited"},
	} {
		switch n.text {
		case "":
		case n.none:
			out[n.field] = nil
		default:
			v, err := strconv.ParseFloat(n.text, 64)
			if err != nil || v < 0 {
				return nil, &exit{exitUsage, fmt.Errorf("%s is %q; it must be a number, or the word %s", n.flag, n.text, n.none)}
			}
			out[n.field] = v
		}
	}
	if t.Interval != "" {
		out["interval"] = t.Interval
	}
	if t.RolloverDays != nil {
		out["rollover_days"] = *t.RolloverDays
	}
	if t.Premium != nil {
		out["premium"] = *t.Premium
	}
	if t.ForceLaunch != nil {
		out["force_launch"] = *t.ForceLaunch
	}
	return out, nil
}

type adminPlanCreate struct {
	adminFlags
	Name string `arg:"" help:"Name of the plan; it stays."`
	planTerms
}

func (c *adminPlanCreate) Run(ctx context.Context, o *output) error {
	terms, err := c.fields()
	if err != nil {
		return err
	}
	if c.Credits == "" {
		return &exit{exitUsage, fmt.Errorf("say how many credits a period has: --credits N, or --credits unlimited")}
	}
	terms["name"] = c.Name
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.CreatePlan(ctx, terms)
		return planned(o, c.JSON, "Made", p, err)
	})
}

func planned(o *output, asJSON bool, what string, p *client.Plan, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(o.out, p)
	}
	r := planRow(*p)
	o.notef("%s the plan %s: credits %s %s, rollover %s, slots %s, premium %s\n", what, r[0], r[1], r[2], r[3], r[4], r[5])
	return nil
}

type adminPlanUpdate struct {
	adminFlags
	Plan string `arg:"" help:"Name or id of the plan."`
	planTerms
}

func (c *adminPlanUpdate) Run(ctx context.Context, o *output) error {
	terms, err := c.fields()
	if err != nil {
		return err
	}
	if len(terms) == 0 {
		return &exit{exitUsage, fmt.Errorf("say what to change: --credits, --interval, --rollover, --rollover-days, --slots, --premium or --force-launch")}
	}
	return c.with(ctx, o, func(api *client.Client) error {
		p, err := api.UpdatePlan(ctx, c.Plan, terms)
		return planned(o, c.JSON, "Changed", p, err)
	})
}

type adminPlanRm struct {
	adminFlags
	Plan string `arg:"" help:"Name or id of the plan."`
}

func (c *adminPlanRm) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		if err := api.DeletePlan(ctx, c.Plan); err != nil {
			return err
		}
		o.notef("Deleted the plan %s\n", c.Plan)
		return nil
	})
}

type adminPlanAssign struct {
	adminFlags
	Workspace string `arg:"" help:"Id of the workspace, or email of a user in it."`
	Plan      string `arg:"" help:"Name or id of the plan."`
	Timezone  string `help:"Whose days and months count, such as Europe/Paris; UTC unless given." placeholder:"ZONE"`
}

func (c *adminPlanAssign) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		b, err := api.AssignPlan(ctx, c.Workspace, c.Plan, c.Timezone)
		return showBalance(o, c.JSON, c.Workspace, b, err)
	})
}
