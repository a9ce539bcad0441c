package api

import (
	"errors"
	"strconv"

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

func itoa(n int) string { return strconv.Itoa(n) }
