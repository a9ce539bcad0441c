package main

import (
	"context"
	"fmt"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"shoal/client"
)

// follower shows a run's progress until it ends, pauses for long or ctx ends:
// a bar on a terminal, a plain line every few seconds elsewhere.
type follower struct {
	api   *client.Client
	out   *output
	quiet bool
	// maxWait bounds the wait for a paused run to go on by itself.
	maxWait time.Duration

	pages       int64
	lastAt      time.Time
	rate        float64 // pages a second, moving
	lastLine    time.Time
	lastStatus  string
	pausedSince time.Time
	bar         *mpb.Bar
	progress    *mpb.Progress
}

const linesEvery = 5 * time.Second

// follow returns the run as it was last seen.
func (f *follower) follow(ctx context.Context, id string) (*client.Run, error) {
	defer f.close()
	f.lastAt, f.lastLine = time.Now(), time.Now()
	for {
		run, err := f.api.WaitRun(ctx, id, time.Second)
		if err != nil {
			return nil, err
		}
		stats, err := f.api.RunStats(ctx, id)
		if err != nil {
			return nil, err
		}
		f.show(run, stats)
		if run.IsDone || f.gaveUp(run, stats) {
			return run, nil
		}
		if run.Status == "paused" {
			// The long poll already waited a second: a pause costs one request a second.
			continue
		}
	}
}

// gaveUp reports whether the run has been paused for longer than it is worth
// waiting, or is going to be.
func (f *follower) gaveUp(run *client.Run, stats *client.RunStats) bool {
	if run.Status != "paused" {
		f.pausedSince = time.Time{}
		return false
	}
	if f.pausedSince.IsZero() {
		f.pausedSince = time.Now()
	}
	if until := stats.ResumesAt; !until.IsZero() && time.Until(until.Time) > f.maxWait {
		return true
	}
	return time.Since(f.pausedSince) >= f.maxWait
}

func (f *follower) show(run *client.Run, stats *client.RunStats) {
	now := time.Now()
	if dt := now.Sub(f.lastAt).Seconds(); dt >= 0.2 {
		now := float64(stats.TotalRequests-f.pages) / dt
		if f.rate == 0 {
			f.rate = now
		}
		f.rate = 0.7*f.rate + 0.3*now
		f.pages, f.lastAt = stats.TotalRequests, time.Now()
	}
	if f.quiet {
		return
	}
	if f.out.errTerminal {
		f.showBar(run, stats)
		return
	}
	changed := run.Status != f.lastStatus
	// A pause says nothing new until it is over.
	if changed || run.Status != "paused" && now.Sub(f.lastLine) >= linesEvery {
		f.out.notef("%s\n", f.line(run, stats))
		f.lastLine, f.lastStatus = now, run.Status
	}
}

// line is the run's state in one plain line.
func (f *follower) line(run *client.Run, stats *client.RunStats) string {
	s := fmt.Sprintf("%s %s  %s  %s", run.Status, stats.PercentDone,
		plural(stats.TotalRequests, "page"), plural(run.TotalUniqueResults, "result"))
	if run.Status == "running" && f.rate > 0 {
		s += fmt.Sprintf("  %.0f pages/s  ETA %s", f.rate, stats.ETA)
	}
	if stats.FailedRequests > 0 {
		s += "  " + plural(stats.FailedRequests, "error")
	}
	if d := run.Desc(); d != "" && (run.Status == "paused" || run.Status == "uploading" && run.Reason() != "tasks_done") {
		s += "  " + d
	}
	if until := stats.ResumesAt; run.Status == "paused" && !until.IsZero() {
		s += "  Goes on at " + until.Local().Format(time.DateTime) + "."
	}
	return s
}

func (f *follower) showBar(run *client.Run, stats *client.RunStats) {
	if f.bar == nil {
		f.progress = mpb.New(mpb.WithOutput(f.out.err), mpb.WithWidth(36), mpb.WithAutoRefresh())
		f.bar = f.progress.AddBar(100, mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return f.lastStatus })))
	}
	f.lastStatus = f.line(run, stats)
	var percent int64
	if _, err := fmt.Sscanf(stats.PercentDone, "%d%%", &percent); err == nil {
		f.bar.SetCurrent(min(percent, 99))
	}
}

func (f *follower) close() {
	if f.bar != nil {
		f.bar.Abort(true)
		f.progress.Wait()
	}
}
