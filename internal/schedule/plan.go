package schedule

import (
	"fmt"
	"time"

	"shoal"
	"shoal/internal/cron"
)

// grace is how late a launch may be and still count as on time.
const grace = time.Minute

// maxCounted bounds how far missed launches are counted.
const maxCounted = 10_000

// plan is a schedule, read.
type plan struct {
	due  shoal.DueLaunch
	expr cron.Expr
	zone *time.Location
}

func read(d shoal.DueLaunch) (p plan, err error) {
	p.due = d
	if p.expr, err = cron.Parse(d.Cron); err != nil {
		return p, err
	}
	p.zone, err = cron.Zone(d.Timezone)
	return p, err
}

// verdict is what is to become of a due slot.
type verdict struct {
	claim shoal.LaunchClaim
	// leaveOut says that the squid's policy has no run made for it.
	leaveOut bool
	// makesUp says that the slot was missed and waits for a run that is under way.
	makesUp bool
}

// decide returns what is to become of the due slot at now.
func (p *plan) decide(now time.Time) verdict {
	d := p.due
	c := shoal.LaunchClaim{Due: d, Slot: d.Slot}
	latest := p.expr.Latest(d.Slot, now, p.zone)
	behind := !latest.Equal(d.Slot) || now.Sub(d.DueAt) >= grace || !d.Slot.After(d.BehindUntil)
	if !behind {
		p.goOn(&c, now)
		return verdict{claim: c}
	}
	if d.Missed == shoal.MissedAll {
		return verdict{claim: p.makeUp(c, latest, now), makesUp: true}
	}
	c.Slot = latest
	c.Missed = p.expr.Count(d.Slot, latest, p.zone, maxCounted)
	p.goOn(&c, now)
	onTime := now.Sub(latest) < grace
	switch {
	case d.Missed == shoal.MissedSkip && !onTime:
		c.Message = fmt.Sprintf("%s left out: nothing could launch at %s, and missed launches are skipped.", counted(c.Missed+1, "launch was", "launches were"), p.spell(d.Slot))
		return verdict{claim: c, leaveOut: true}
	case d.Missed == shoal.MissedSkip && c.Missed > 0:
		c.Message = fmt.Sprintf("%s before it left out, from %s on: missed launches are skipped.", counted(c.Missed, "launch was", "launches were"), p.spell(d.Slot))
	case c.Missed > 0:
		c.Message = fmt.Sprintf("It stands for %s before it too, missed from %s on.", counted(c.Missed, "launch", "launches"), p.spell(d.Slot))
	case !onTime:
		c.Message = fmt.Sprintf("It is late: nothing could launch at %s.", p.spell(d.Slot))
	}
	return verdict{claim: c}
}

// goOn sets the claim to go on with the first slot after now.
func (p *plan) goOn(c *shoal.LaunchClaim, now time.Time) {
	if now.Before(c.Slot) {
		now = c.Slot // the clock was set back
	}
	c.Next = p.expr.Next(now, p.zone)
	c.NextDue = c.Next.Add(cron.Spread(p.due.SquidPK, c.Next, p.expr.Next(c.Next, p.zone), p.due.Jitter))
}

// makeUp claims one of the missed slots, oldest first, of the newest MaxCatchUp.
func (p *plan) makeUp(c shoal.LaunchClaim, latest, now time.Time) shoal.LaunchClaim {
	first := latest
	for range shoal.MaxCatchUp - 1 {
		if !first.After(p.due.Slot) {
			break
		}
		first = p.expr.Latest(p.due.Slot, first.Add(-time.Second), p.zone)
	}
	c.Slot = first
	c.Missed = p.expr.Count(p.due.Slot, first, p.zone, maxCounted)
	c.Message = fmt.Sprintf("It makes up for the launch that was missed at %s.", p.spell(first))
	if c.Missed > 0 {
		c.Message += fmt.Sprintf(" %s before it left out: the newest %d are made up for.", counted(c.Missed, "launch was", "launches were"), shoal.MaxCatchUp)
	}
	c.BehindUntil = latest
	if first.Equal(latest) {
		p.goOn(&c, now)
		c.BehindUntil = time.Time{}
		return c
	}
	c.Next, c.NextDue = p.expr.Next(first, p.zone), now
	return c
}

// spell writes a slot as the schedule's zone shows it.
func (p *plan) spell(slot time.Time) string {
	return slot.In(p.zone).Format("2006-01-02 15:04 ") + "(" + p.zone.String() + ")"
}

// counted writes n and what it counts.
func counted(n int, one, more string) string {
	switch {
	case n == 1:
		return "1 " + one
	case n > maxCounted-1:
		return fmt.Sprintf("more than %d %s", maxCounted-1, more)
	}
	return fmt.Sprintf("%d %s", n, more)
}
