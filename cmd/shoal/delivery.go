package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"shoal/client"
)

// deliveryCmd holds the verbs of deliveries.
type deliveryCmd struct {
	Ls        deliveryLs        `cmd:"" help:"The delivery log, newest first."`
	Show      deliveryShow      `cmd:"" help:"Show where a squid's results go, and how each channel does."`
	Set       deliverySet       `cmd:"" help:"Set a channel of a squid: webhook, email, slack, s3, sftp, google_sheet, database."`
	Test      deliveryTest      `cmd:"" help:"Send a test message through a channel, the way a delivery goes."`
	Redeliver deliveryRedeliver `cmd:"" help:"Send a delivery again."`
	Pause     deliveryPause     `cmd:"" help:"Have what is for a channel of a squid wait."`
	Resume    deliveryResume    `cmd:"" help:"Let a paused channel of a squid work again."`
	Rm        deliveryRm        `cmd:"" help:"Take a channel away from a squid."`
}

type deliveryLs struct {
	serverFlags
	pageFlags
	RunID  string `help:"Only those of this run." name:"run" placeholder:"ID"`
	Squid  string `help:"Only those of this squid." placeholder:"ID"`
	Status string `help:"Only those pending, delivered, failed or cancelled." placeholder:"STATUS"`
}

// Help is the long help of the verb.
func (deliveryLs) Help() string {
	return `Every event that was or is to be delivered, with what the other side said last:
  shoal delivery ls --status failed
A delivery that failed is sent again with: shoal delivery redeliver ID`
}

func (c *deliveryLs) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.Deliveries(ctx, c.RunID, c.Squid, c.Status, c.window())
	if err != nil {
		return err
	}
	return report(o, c.JSON, p, []string{"ID", "EVENT", "CHANNEL", "STATUS", "TRIES", "TARGET", "DETAIL"}, func(d client.Delivery) []string {
		status := d.Status
		if d.Held {
			status = "held"
		}
		return []string{d.ID, d.Event, d.Channel, status, fmt.Sprint(d.Attempts), orEmpty(d.Target), orEmpty(d.Detail)}
	})
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// channelKeys are the API's names of the channels' settings.
var channelKeys = map[string]string{
	"webhook": "webhook_fields", "slack": "slack_fields", "s3": "s3_fields", "sftp": "ftp_fields",
	"google_sheet": "google_sheet_fields", "googlesheet": "google_sheet_fields", "database": "database_fields",
}

// assignments are settings from the command line: name=value.
type assignments []string

// fields reads them. A value that is JSON (true, 22, {"run.done": true}) counts
// as such, every other one as text. @FILE stands for what the file holds, @@ for
// a text that begins with @.
func (a assignments) fields() (map[string]any, error) {
	out := map[string]any{}
	for _, pair := range a {
		name, text, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, &exit{exitUsage, fmt.Errorf("--set %s: it must be name=value, such as url=https://example.com/hook", pair)}
		}
		v, err := assigned(text)
		if err != nil {
			return nil, &exit{exitUsage, fmt.Errorf("--set %s: %w", name, err)}
		}
		if s, ok := out[name].(map[string]any); ok && s != nil {
			return nil, &exit{exitUsage, fmt.Errorf("--set %s: %s is given twice", pair, name)}
		}
		if _, text := v.(string); !text && textSettings[name] {
			v = strings.TrimSpace(pair[len(name)+1:])
		}
		out[name] = v
	}
	return out, nil
}

// textSettings are texts however they look: a password may be a number.
var textSettings = map[string]bool{"password": true, "username": true, "secret": true, "aws_access_key": true, "aws_secret_key": true,
	"bucket": true, "target_path": true, "directory": true, "host": true, "url": true, "email": true, "region": true, "sheet": true}

// maxAssigned bounds a file that is a setting: keys are small.
const maxAssigned = 64 << 10

// assigned is the value that is meant by the text behind the equals sign.
func assigned(text string) (any, error) {
	name, file := strings.CutPrefix(text, "@")
	switch {
	case file && strings.HasPrefix(name, "@"):
		return name, nil
	case file:
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w; a text that begins with @ is written @@", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxAssigned+1))
		if err != nil {
			return nil, err
		}
		if len(b) > maxAssigned {
			return nil, fmt.Errorf("%s has more than %d bytes: it is no key", name, maxAssigned)
		}
		text = string(b)
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return text, nil
	}
	return v, nil
}

// channelOff is the body that takes a channel away.
func channelOff(channel string) map[string]any {
	if channel == "email" {
		return map[string]any{"notifications": false}
	}
	return map[string]any{channelKeys[channel]: nil}
}

// firstSetting is what each channel needs before all else.
var firstSetting = map[string]string{
	"webhook": "url=https://example.com/hook", "email": "email=me@example.com", "slack": "url=https://hooks.slack.com/services/…",
	"s3": "bucket=NAME", "sftp": "host=files.example.com", "google_sheet": "url=https://docs.google.com/spreadsheets/d/…",
	"googlesheet": "url=https://docs.google.com/spreadsheets/d/…", "database": "url=postgres://…",
}

type deliverySet struct {
	serverFlags
	Squid   string      `arg:"" help:"Id of the squid."`
	Channel string      `arg:"" help:"webhook, email, slack, s3, sftp, google_sheet or database." enum:"webhook,email,slack,s3,sftp,google_sheet,googlesheet,database"`
	Set     assignments `help:"A setting of the channel; may be given several times." placeholder:"NAME=VALUE" sep:"none"`
	Off     bool        `help:"Take the channel away, as rm does."`
}

// Help is the long help of the verb.
func (deliverySet) Help() string {
	return `Examples:
  shoal delivery set ID webhook --set url=https://example.com/hook --set 'events={"run.done":true,"run.error":true}'
  shoal delivery set ID email --set email=me@example.com --set email_attachment=true
  shoal delivery set ID slack --set url=https://hooks.slack.com/services/…
  shoal delivery set ID google_sheet --set url=https://docs.google.com/spreadsheets/d/… --set credentials=@key.json
  shoal delivery set ID database --set url=postgres://me:secret@db.example.com/shop --set table=products --set key=sku,shop
@FILE stands for what the file holds.
A webhook's secret is printed once, when it is made.`
}

func (c *deliverySet) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	fields, err := c.Set.fields()
	if err != nil {
		return err
	}
	if len(fields) == 0 && !c.Off {
		return &exit{exitUsage, fmt.Errorf("nothing to set: give settings such as --set %s, or --off", firstSetting[c.Channel])}
	}
	body := map[string]any{}
	switch {
	case c.Off:
		body = channelOff(c.Channel)
	case c.Channel == "email":
		body = fields
	default:
		body[channelKeys[c.Channel]] = fields
	}
	stored, err := api.SetDelivery(ctx, c.Squid, body)
	if err != nil {
		return err
	}
	return printJSON(o.out, stored)
}

type deliveryTest struct {
	serverFlags
	Channel string      `arg:"" help:"webhook, email, slack, s3, sftp, google_sheet or database." enum:"webhook,email,slack,s3,sftp,google_sheet,googlesheet,database"`
	Squid   string      `help:"Test what this squid has stored; --set changes it for the test." placeholder:"ID"`
	Set     assignments `help:"A setting of the channel; may be given several times." placeholder:"NAME=VALUE" sep:"none"`
}

// Help is the long help of the verb.
func (deliveryTest) Help() string {
	return `Nothing is stored. Exit code 1 when the other side did not take it.
  shoal delivery test webhook --set url=https://example.com/hook
  shoal delivery test webhook --squid ID`
}

func (c *deliveryTest) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	fields, err := c.Set.fields()
	if err != nil {
		return err
	}
	got, err := api.TestDelivery(ctx, strings.ReplaceAll(c.Channel, "_", ""), c.Squid, fields)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(o.out, got); err != nil {
			return err
		}
	} else if got.Success {
		o.printf("Taken (%d): %s\n", got.StatusCode, got.Detail)
	}
	if !got.Success {
		return &exit{exitFailed, fmt.Errorf("not taken: %s", got.Detail)}
	}
	return nil
}

type deliveryRedeliver struct {
	serverFlags
	Delivery string `arg:"" help:"Id of the delivery."`
}

func (c *deliveryRedeliver) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	d, err := api.Redeliver(ctx, c.Delivery)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, d)
	}
	if d.Held {
		o.printf("%s by %s waits: the channel is paused. Let it go on with: shoal delivery resume %s %s\n", d.Event, d.Channel, d.Squid, d.Channel)
		return nil
	}
	o.printf("%s by %s is sent again. See: shoal delivery ls --squid %s\n", d.Event, d.Channel, d.Squid)
	return nil
}
