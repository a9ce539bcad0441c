package api

import (
	"errors"
	"strconv"
	"time"

	"shoal"
	"shoal/internal/cron"
)

// schedulePatch reads what is to change of a squid's schedule.
func schedulePatch(f *fields, s *shoal.Squid, patch *shoal.SquidPatch) {
	if f.has("cron_expression") {
		expr := f.text("cron_expression")
		if expr != "" {
			if _, err := cron.Parse(expr); err != nil {
				failWith(f, err)
			}
			if s.Timezone == "" && f.m["timezone"] == nil {
				utc := "UTC"
				patch.Timezone = &utc
			}
		}
		patch.CronExpression = &expr
	}
	if f.m["timezone"] != nil {
		zone := f.text("timezone")
		if zone == "" {
			f.bad("timezone", "timezone is empty; it must be an IANA name such as Europe/Paris or UTC")
		}
		if _, err := cron.Zone(zone); err != nil {
			failWith(f, err)
		}
		patch.Timezone = &zone
	}
	missedPatch(f, patch)
	if f.m["launch_jitter"] != nil {
		most := int(shoal.MaxJitter / time.Second)
		jitter := time.Duration(f.integer("launch_jitter", 0, 0, most)) * time.Second
		patch.LaunchJitter = &jitter
	}
}

// missedPatch reads what becomes of launches that no server was there for.
func missedPatch(f *fields, patch *shoal.SquidPatch) {
	if f.m["missed_launches"] == nil {
		return
	}
	policy := shoal.MissedPolicy(f.text("missed_launches"))
	if !policy.Valid() {
		f.bad("missed_launches", "missed_launches is %q; it must be once (one launch for all that was missed), skip (none) or all (one for each, the newest %d)",
			clip(string(policy), 40), shoal.MaxCatchUp)
	}
	patch.MissedLaunches = &policy
}

// failWith fails f with what was refused elsewhere.
func failWith(f *fields, err error) {
	if e, ok := errors.AsType[*shoal.Error](err); ok {
		f.fail(e)
	}
}

// scheduleInWords says a stored schedule ("Daily at 10:00"), "" when there is none.
func scheduleInWords(expr string) string {
	if expr == "" {
		return ""
	}
	e, err := cron.Parse(expr)
	if err != nil {
		return expr // stored before it was checked so strictly
	}
	return e.Words()
}

// wireSchedule is a squid's schedule: what lobstr.io has, and what becomes of
// missed launches and by how many seconds launches are spread.
type wireSchedule struct {
	CronExpression string             `json:"cron_expression"`
	Timezone       string             `json:"timezone"`
	MissedLaunches shoal.MissedPolicy `json:"missed_launches"`
	LaunchJitter   int64              `json:"launch_jitter"`
}

// showSchedule returns the squid's schedule, nil when it has none.
func showSchedule(s *shoal.Squid) *wireSchedule {
	if s.CronExpression == "" {
		return nil
	}
	return &wireSchedule{s.CronExpression, s.Timezone, s.MissedLaunches, int64(s.LaunchJitter / time.Second)}
}

// wireLaunch is what became of one time of a schedule.
type wireLaunch struct {
	Object      string              `json:"object"`
	ScheduledAt stamp               `json:"scheduled_at"`
	At          stamp               `json:"at"`
	Outcome     shoal.LaunchOutcome `json:"outcome"`
	Run         orNull              `json:"run"`
	Reason      orNull              `json:"reason"`
	Message     orNull              `json:"message"`
	Missed      int                 `json:"missed"`
}

func showLaunch(l *shoal.Launch) wireLaunch {
	return wireLaunch{Object: "launch", ScheduledAt: stamp(l.Slot), At: stamp(l.At), Outcome: l.Outcome,
		Run: orNull(l.RunID), Reason: orNull(l.Reason), Message: orNull(l.Message), Missed: l.Missed}
}

// wireScheduled is an entry of the list of schedules.
type wireScheduled struct {
	Object       string        `json:"object"`
	Squid        shoal.SquidID `json:"squid"`
	Name         string        `json:"name"`
	IsActive     bool          `json:"is_active"`
	Schedule     *wireSchedule `json:"schedule"`
	ScheduleTime string        `json:"schedule_time"`
	NextLaunchAt stamp         `json:"next_launch_at"`
	Message      orNull        `json:"message"`
	LastLaunch   *wireLaunch   `json:"last_launch"`
}

// listSchedules lists the squids that have a schedule, the next to launch first.
func (a *API) listSchedules(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := a.store.Schedules(c.ctx(), c.ws, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, func(b []byte, s *shoal.ScheduledSquid) []byte {
		entry := wireScheduled{Object: "schedule", Squid: s.ID, Name: s.Name, IsActive: s.IsActive, Schedule: showSchedule(&s.Squid),
			ScheduleTime: scheduleInWords(s.CronExpression), NextLaunchAt: stamp(s.NextLaunchAt), Message: orNull(s.Message)}
		if s.LastLaunch != nil {
			last := showLaunch(s.LastLaunch)
			entry.LastLaunch = &last
		}
		return appendJSON(b, entry)
	})
}

// listLaunches lists what became of a squid's scheduled launches, newest first.
func (a *API) listLaunches(c *call) error {
	id, err := id32[shoal.SquidID](c, shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := a.store.Launches(c.ctx(), c.ws, id, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, func(b []byte, l *shoal.Launch) []byte { return appendJSON(b, showLaunch(l)) })
}

func itoa(n int) string { return strconv.Itoa(n) }
