package main

import (
	"context"
	"fmt"
	"time"

	"shoal/client"
)

// scheduleCmd holds the verbs of schedules.
type scheduleCmd struct {
	Set     scheduleSet     `cmd:"" help:"Launch a squid by itself, at times of a cron expression."`
	Show    scheduleShow    `cmd:"" help:"Show when a squid launches."`
	Ls      scheduleLs      `cmd:"" help:"List schedules, the next to launch first."`
	Rm      scheduleRm      `cmd:"" help:"Launch a squid by hand only, from now on."`
	History scheduleHistory `cmd:"" help:"Show what became of a squid's launches, newest first."`
}

// Help is the long help of the verb.
func (scheduleCmd) Help() string {
	return `A schedule launches a squid while shoal serve runs. For instance:
  shoal schedule set SQUID "0 10 * * *" --timezone Europe/Paris    daily at 10:00
  shoal schedule set SQUID "*/30 8-18 * * MON-FRI"                 every 30 minutes on weekdays
  shoal schedule set SQUID @daily --missed skip                    and never late
What could not launch, and why: shoal schedule history SQUID`
}

type scheduleSet struct {
	serverFlags
	Squid    string        `arg:"" help:"Id of the squid."`
	Cron     string        `arg:"" help:"Minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly, @yearly." placeholder:"\"M H D M W\""`
	Timezone string        `help:"Zone of the times, such as Europe/Paris; as it is, or UTC, unless given." placeholder:"ZONE"`
	Missed   string        `help:"Times that passed while no server ran: once (one launch for all of them), skip (none), all (one for each of the newest 24)." enum:"once,skip,all," default:""`
	Jitter   time.Duration `help:"Spread launches over this time, such as 5m, so that not all begin at the full minute; at most 1h." default:"-1s"`
}

// Help is the long help of the verb.
func (scheduleSet) Help() string {
	return `The five fields of a cron expression:
  minute         0-59
  hour           0-23
  day of month   1-31
  month          1-12 or JAN-DEC
  day of week    0-7 or SUN-SAT; 0 and 7 are Sunday
Each is *, a number, a range (9-17), a list (1,15) or a step (*/15). With both days given, either is enough.
A time that a change of the clock skips launches once, right after; one that comes twice launches once.
A time at which the run before is still under way is skipped, and noted in the history.`
}

// Run does the verb.
func (c *scheduleSet) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	changes := map[string]any{"cron_expression": c.Cron}
	if c.Timezone != "" {
		changes["timezone"] = c.Timezone
	}
	if c.Missed != "" {
		changes["missed_launches"] = c.Missed
	}
	if c.Jitter >= 0 {
		if c.Jitter%time.Second != 0 {
			return &exit{exitUsage, fmt.Errorf("--jitter is %v; it must be whole seconds, such as 90s or 5m", c.Jitter)}
		}
		changes["launch_jitter"] = int64(c.Jitter / time.Second)
	}
	if err := api.UpdateSquid(ctx, c.Squid, changes); err != nil {
		return err
	}
	return showSchedule(ctx, o, api, c.Squid, c.JSON)
}

type scheduleShow struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
}

// Run does the verb.
func (c *scheduleShow) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return showSchedule(ctx, o, api, c.Squid, c.JSON)
}

// showSchedule prints when the squid launches.
func showSchedule(ctx context.Context, o *output, api *client.Client, id string, asJSON bool) error {
	s, err := api.Squid(ctx, id)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(o.out, map[string]any{"squid": s.ID, "name": s.Name, "schedule": s.Schedule, "schedule_time": s.ScheduleTime, "next_launch_at": s.NextLaunchAt})
	}
	if s.Schedule == nil {
		o.printf("%s has no schedule.\n", s.Name)
		o.notef("Give it one: shoal schedule set %s \"0 10 * * *\" --timezone Europe/Paris\n", s.ID)
		return nil
	}
	o.printf("%s\n", s.Name)
	o.printf("  %s (%s, %s)\n", *s.ScheduleTime, s.Schedule.CronExpression, s.Schedule.Timezone)
	o.printf("  next launch: %s\n", launchTime(s.NextLaunchAt, s.IsActive, s.Schedule.Timezone))
	o.printf("  missed launches: %s\n", s.Schedule.MissedLaunches)
	if s.Schedule.LaunchJitter > 0 {
		o.printf("  spread over %s\n", span(time.Duration(s.Schedule.LaunchJitter)*time.Second))
	}
	if s.Message != nil {
		o.printf("  %s\n", *s.Message)
	}
	return nil
}

// launchTime writes a launch's time in the schedule's zone.
func launchTime(at *client.Time, active bool, zone string) string {
	switch {
	case at != nil && !at.IsZero():
		return inZone(at.Time, zone)
	case !active:
		return "none: the squid is switched off"
	}
	return "when the run that is under way has ended"
}

// inZone writes t as a clock in the zone shows it; in UTC when this machine
// does not know the zone.
func inZone(t time.Time, zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return t.In(loc).Format("2006-01-02 15:04:05 MST")
}

type scheduleLs struct {
	serverFlags
	pageFlags
}

// Run does the verb.
func (c *scheduleLs) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.Schedules(ctx, c.window())
	if err != nil {
		return err
	}
	return listing(o, c.JSON, p, []string{"SQUID", "NAME", "WHEN", "ZONE", "NEXT LAUNCH", "LAST"}, func(s client.Scheduled) []string {
		last := ""
		if s.LastLaunch != nil {
			last = s.LastLaunch.Outcome
		}
		return []string{s.Squid, s.Name, s.ScheduleTime, s.Schedule.Timezone, launchTime(s.NextLaunchAt, s.IsActive, s.Schedule.Timezone), last}
	})
}

type scheduleRm struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
}

// Run does the verb.
func (c *scheduleRm) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if err := api.UpdateSquid(ctx, c.Squid, map[string]any{"cron_expression": nil}); err != nil {
		return err
	}
	o.notef("The squid launches by hand only: shoal run start %s\n", c.Squid)
	return nil
}

type scheduleHistory struct {
	serverFlags
	pageFlags
	Squid string `arg:"" help:"Id of the squid."`
}

// Run does the verb.
func (c *scheduleHistory) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.Launches(ctx, c.Squid, c.window())
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, p)
	}
	s, err := api.Squid(ctx, c.Squid)
	if err != nil {
		return err
	}
	zone := "UTC"
	if s.Schedule != nil {
		zone = s.Schedule.Timezone
	}
	t := table{heads: []string{"SCHEDULED FOR", "OUTCOME", "RUN", "WHAT"}, whole: 3}
	t.wide()
	for _, l := range p.Data {
		t.add(inZone(l.ScheduledAt.Time, zone), l.Outcome, textOf(l.Run), textOf(l.Message))
	}
	t.print(o.out)
	if p.TotalPages > 1 {
		o.notef("page %d of %d, %s in all\n", p.Page, p.TotalPages, count(p.TotalResults))
	}
	return nil
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
