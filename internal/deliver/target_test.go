package deliver_test

import (
	"strings"
	"testing"

	"shoal"
	"shoal/internal/store/storetest"
)

// target returns the state of a channel of the squid.
func (f *office) target(c shoal.Channel) shoal.DeliveryTarget {
	f.t.Helper()
	all, err := f.Store.DeliveryTargets(f.t.Context(), f.Workspace, f.squid)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, t := range all {
		if t.Channel == c {
			return t
		}
	}
	return shoal.DeliveryTarget{Channel: c}
}

// TestPausedByAPerson: what is for a paused channel waits in order; setting
// another channel does not wake it, resuming or setting it does.
func TestPausedByAPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		if err := e.Store.PauseTarget(t.Context(), e.Workspace, f.squid, shoal.ChannelWebhook); err != nil {
			t.Fatal(err)
		}
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.end(run.ID, shoal.RunDone)
		f.deliver(shoal.ChannelWebhook, 3)
		log := f.log(run.ID)
		if len(r.got()) != 0 || len(log) != 2 || !log[0].Held || !log[1].Held {
			t.Errorf("paused: log %+v", log)
		}
		if got := f.target(shoal.ChannelWebhook); got.PausedAt.IsZero() || got.Why != "Paused by a person" || got.Pending != 2 {
			t.Errorf("the target: %+v", got)
		}
		err := e.Store.SetDelivery(t.Context(), e.Workspace, f.squid, func(d *shoal.DeliveryConfig) ([]shoal.Channel, error) {
			d.Email = "me@example.com"
			return []shoal.Channel{shoal.ChannelEmail}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.target(shoal.ChannelWebhook); got.PausedAt.IsZero() {
			t.Error("setting another channel resumed this one")
		}
		if err := e.Store.ResumeTarget(t.Context(), e.Workspace, f.squid, shoal.ChannelWebhook); err != nil {
			t.Fatal(err)
		}
		f.deliver(shoal.ChannelWebhook, 2)
		if posts := r.got(); len(posts) != 2 || posts[0].event() != "run.running" || posts[1].event() != "run.done" {
			t.Errorf("resumed: %v", posts)
		}
	})
}

// TestPausedWhileUnderWay: what is on its way when a person pauses the channel
// is recorded, tells nobody, and leaves the channel paused by that person.
func TestPausedWhileUnderWay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, status(410))
		slack := newReceiver(t, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL), shoal.ChannelSlack: {"url": slack.URL}})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		work, err := e.Store.ClaimDelivery(t.Context(), f.squidPK, shoal.ChannelWebhook, 1<<40)
		if err != nil || work == nil {
			t.Fatal(work, err)
		}
		if err := e.Store.PauseTarget(t.Context(), e.Workspace, f.squid, shoal.ChannelWebhook); err != nil {
			t.Fatal(err)
		}
		err = e.Store.RecordDelivery(t.Context(), work, shoal.DeliveryOutcome{Status: shoal.DeliveryFailed, PauseTarget: true, Detail: "gone"})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.target(shoal.ChannelWebhook); got.Why != "Paused by a person" || got.Failures != 1 {
			t.Errorf("the target: %+v", got)
		}
		if log := f.log(run.ID); len(log) != 1 || log[0].Status != shoal.DeliveryFailed {
			t.Errorf("log: %+v", log)
		}
	})
}

// TestBrokenAlerts: when the channel that would tell of a broken one is broken
// too, each tells of the other once, and no more comes of it.
func TestBrokenAlerts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, status(410))
		slack := newReceiver(t, status(410))
		f.set(map[shoal.Channel]map[string]any{
			shoal.ChannelWebhook: hook(r.URL), shoal.ChannelSlack: {"url": slack.URL}, shoal.ChannelEmail: {"email": "me@example.com"},
		})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		for range 40 { // e-mail has no server and is given up after six attempts, each
			f.due()
			for _, c := range []shoal.Channel{shoal.ChannelWebhook, shoal.ChannelSlack, shoal.ChannelEmail} {
				f.deliver(c, 1)
			}
		}
		f.end(run.ID, shoal.RunDone)
		for range 40 {
			f.due()
			for _, c := range []shoal.Channel{shoal.ChannelWebhook, shoal.ChannelSlack, shoal.ChannelEmail} {
				f.deliver(c, 1)
			}
		}
		told := map[string]int{}
		for _, d := range f.log(run.ID) {
			if d.Event == shoal.EventDeliveryPaused {
				what, _, _ := strings.Cut(strings.TrimPrefix(d.Payload.Desc, "Deliveries by "), " ")
				told[what+" by "+string(d.Channel)]++
			}
		}
		want := map[string]int{"webhook by slack": 1, "webhook by email": 1, "slack by email": 1, "email by slack": 1}
		if len(told) != len(want) {
			t.Errorf("told %v, want %v", told, want)
		}
		for what, n := range want {
			if told[what] != n {
				t.Errorf("%s: told %d times, want %d", what, told[what], n)
			}
		}
		for _, c := range []shoal.Channel{shoal.ChannelWebhook, shoal.ChannelSlack, shoal.ChannelEmail} {
			if f.target(c).PausedAt.IsZero() {
				t.Errorf("%s is not paused", c)
			}
		}
	})
}
