package client

import (
	"context"
	"net/http"
	"net/url"
)

// Schedule is when a squid launches by itself.
type Schedule struct {
	CronExpression string `json:"cron_expression"`
	Timezone       string `json:"timezone"`
	MissedLaunches string `json:"missed_launches"` // once, skip or all
	LaunchJitter   int64  `json:"launch_jitter"`   // seconds
}

// Scheduled is a squid with a schedule.
type Scheduled struct {
	Squid        string   `json:"squid"`
	Name         string   `json:"name"`
	IsActive     bool     `json:"is_active"`
	Schedule     Schedule `json:"schedule"`
	ScheduleTime string   `json:"schedule_time"` // in words
	NextLaunchAt *Time    `json:"next_launch_at"`
	Message      *string  `json:"message"`
	LastLaunch   *Launch  `json:"last_launch"`
}

// Launch is what became of one time of a schedule.
type Launch struct {
	ScheduledAt Time    `json:"scheduled_at"`
	At          Time    `json:"at"`
	Outcome     string  `json:"outcome"` // launched, skipped, missed or failed
	Run         *string `json:"run"`
	Reason      *string `json:"reason"`
	Message     *string `json:"message"`
	Missed      int     `json:"missed"` // earlier times that it stands for too
}

// Schedules lists the squids that have a schedule, the next to launch first.
func (c *Client) Schedules(ctx context.Context, w Window) (*Page[Scheduled], error) {
	var p Page[Scheduled]
	return &p, c.do(ctx, http.MethodGet, "/schedules", w.values(), nil, &p)
}

// Launches lists what became of a squid's scheduled launches, newest first.
func (c *Client) Launches(ctx context.Context, squid string, w Window) (*Page[Launch], error) {
	var p Page[Launch]
	return &p, c.do(ctx, http.MethodGet, "/squids/"+url.PathEscape(squid)+"/launches", w.values(), nil, &p)
}
