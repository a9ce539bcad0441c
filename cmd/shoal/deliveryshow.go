package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

type deliveryShow struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
}

// Help is the long help of the verb.
func (deliveryShow) Help() string {
	return `A line for each channel that is set: where to, which events, and how it does. A channel that is paused
has a reason, and what waits for it is counted. With --json also all settings, secrets cut to four characters.`
}

func (c *deliveryShow) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	d, err := api.SquidDelivery(ctx, c.Squid)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, d)
	}
	rows := channelRows(d)
	if len(rows) == 0 {
		o.printf("No channel is set. Set one with: shoal delivery set %s CHANNEL --set NAME=VALUE\n", c.Squid)
		return nil
	}
	t := table{heads: []string{"CHANNEL", "TO", "TOLD", "STATE", "PENDING", "WHY"}, rows: rows, full: true, whole: 1}
	t.print(o.out)
	return nil
}

// channelRows are the channels that are set, in the API's names of them.
func channelRows(d map[string]any) (rows [][]string) {
	add := func(channel, to, told string, on bool) {
		state, pending, why := targetState(d, channel)
		if !on {
			state = "off"
		}
		rows = append(rows, []string{channel, to, told, state, pending, why})
	}
	notify, _ := d["run_notify"].(string)
	if email, _ := d["email"].(string); email != "" || notify != "" {
		on, _ := d["notifications"].(bool)
		told := "ended"
		if !on && notify != "" {
			told = strings.TrimPrefix(notify, "on_")
		}
		if email == "" {
			email = "the workspace's first user"
		}
		add("email", email, told, on || notify != "")
	}
	for _, channel := range []string{"webhook", "slack", "s3", "sftp", "google_sheet", "database"} {
		fields, _ := d[strings.Replace(channel, "sftp", "ftp", 1)+"_fields"].(map[string]any)
		if to := address(fields); to != "" {
			on, _ := fields["is_active"].(bool)
			add(channel, to, told(fields), on)
		}
	}
	return rows
}

// address says where a channel goes.
func address(fields map[string]any) string {
	text := func(name string) string { s, _ := fields[name].(string); return s }
	switch {
	case text("bucket") != "":
		return strings.TrimSuffix(text("bucket")+"/"+text("target_path"), "/")
	case text("host") != "":
		return fmt.Sprintf("%s@%s:%s", text("username"), text("host"), text("directory"))
	case text("table") != "":
		return text("table")
	}
	return text("url")
}

// told names the events that a channel is told of.
func told(fields map[string]any) string {
	events, ok := fields["events"].(map[string]any)
	if !ok {
		return "ended"
	}
	var names []string
	for name, on := range events {
		if on == true {
			names = append(names, strings.TrimPrefix(name, "run."))
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// targetState says how a channel does.
func targetState(d map[string]any, channel string) (state, pending, why string) {
	state, pending = "active", "0"
	targets, _ := d["targets"].([]any)
	for _, v := range targets {
		if t, ok := v.(map[string]any); ok && t["channel"] == channel {
			state, _ = t["status"].(string)
			why, _ = t["why"].(string)
			pending = fmt.Sprint(t["pending"])
		}
	}
	return state, pending, why
}

type deliveryPause struct {
	serverFlags
	Squid   string `arg:"" help:"Id of the squid."`
	Channel string `arg:"" help:"The channel: webhook, email, slack, s3, sftp, google_sheet or database."`
}

// Help is the long help of the verb.
func (deliveryPause) Help() string {
	return `What comes for the channel waits, in order, until: shoal delivery resume SQUID CHANNEL
Nothing is lost. A channel that is broken pauses by itself, after three deliveries in a row that failed.`
}

func (c *deliveryPause) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if err := api.PauseDelivery(ctx, c.Squid, c.Channel); err != nil {
		return err
	}
	o.printf("%s is paused; what comes for it waits. Let it go on with: shoal delivery resume %s %s\n", c.Channel, c.Squid, c.Channel)
	return nil
}

type deliveryResume struct {
	serverFlags
	Squid   string `arg:"" help:"Id of the squid."`
	Channel string `arg:"" help:"The paused channel: webhook, email, slack, s3, sftp, google_sheet or database."`
}

func (c *deliveryResume) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if err := api.ResumeDelivery(ctx, c.Squid, c.Channel); err != nil {
		return err
	}
	o.printf("%s works again; what waited is sent now.\n", c.Channel)
	return nil
}

type deliveryRm struct {
	serverFlags
	Squid   string `arg:"" help:"Id of the squid."`
	Channel string `arg:"" help:"The channel: webhook, email, slack, s3, sftp, google_sheet or database."`
}

// Help is the long help of the verb.
func (deliveryRm) Help() string {
	return `The channel's settings are forgotten, secrets and all; what waits for it is cancelled. To keep the settings,
pause it instead, or set is_active=false.`
}

func (c *deliveryRm) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if c.Channel != "email" && channelKeys[c.Channel] == "" {
		return &exit{exitUsage, fmt.Errorf("channel is %q; it must be webhook, email, slack, s3, sftp, google_sheet or database", c.Channel)}
	}
	if _, err := api.SetDelivery(ctx, c.Squid, channelOff(c.Channel)); err != nil {
		return err
	}
	o.printf("%s is taken away.\n", c.Channel)
	return nil
}
