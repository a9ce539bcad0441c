package deliver_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/jobs"
	"shoal/internal/store/storetest"
)

// refuseRecords has the database take no outcome of a delivery, as one on a
// full disk does, until the returned function is called.
func (f *office) refuseRecords() (mend func()) {
	f.t.Helper()
	if f.Options.DatabaseURL == "" {
		f.Exec(f.t, `CREATE TRIGGER disk_full BEFORE UPDATE OF last_at ON deliveries BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
		return func() { f.Exec(f.t, `DROP TRIGGER disk_full`) }
	}
	f.Exec(f.t, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space left on device'; END $$`)
	f.Exec(f.t, `CREATE TRIGGER disk_full BEFORE UPDATE OF last_at ON deliveries EXECUTE FUNCTION full_disk()`)
	return func() { f.Exec(f.t, `DROP TRIGGER disk_full ON deliveries`) }
}

// TestOutcomeThatCannotBeRecorded: what was sent and could not be recorded is
// recorded when there is room, and not sent again by the process that sent it.
func TestOutcomeThatCannotBeRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		mend := f.refuseRecords()
		args, err := json.Marshal(jobs.DeliverArgs{Squid: f.squidPK, Channel: string(shoal.ChannelWebhook)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.service.Deliver(t.Context(), args); err == nil {
			t.Fatal("an outcome that was not recorded is no error: its job would be lost")
		}
		sent := r.got()
		if d := f.log(run.ID)[0]; len(sent) != 1 || d.Status != shoal.DeliveryPending || d.Attempts != 0 {
			t.Fatalf("%d sent, log %+v", len(sent), d)
		}
		mend()
		f.deliver(shoal.ChannelWebhook, 1) // still claimed by the attempt that was not recorded
		f.Exec(t, `UPDATE delivery_targets SET claimed_until = 0`)
		f.deliver(shoal.ChannelWebhook, 1)
		d := f.log(run.ID)[0]
		if d.Status != shoal.DeliveryDelivered || d.Attempts != 1 || d.StatusCode != 200 || len(r.got()) != 0 {
			t.Errorf("mended: %+v, want it recorded and not sent again", d)
		}
	})
}

// TestOutcomeOfADeadProcess: a process that did not live to record what it sent
// leaves it to the next, which sends it once more under its id.
func TestOutcomeOfADeadProcess(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f, r := newOffice(t, e, nil), newReceiver(t, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		mend := f.refuseRecords()
		args, err := json.Marshal(jobs.DeliverArgs{Squid: f.squidPK, Channel: string(shoal.ChannelWebhook)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.service.Deliver(t.Context(), args); err == nil {
			t.Fatal("want an error")
		}
		mend()
		next := *f
		next.service = deliver.New(f.options)
		if err := next.service.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		next.deliver(shoal.ChannelWebhook, 2)
		posts := r.got()
		if len(posts) != 2 || posts[0].header.Get("X-Shoal-Delivery") != posts[1].header.Get("X-Shoal-Delivery") || posts[0].body != posts[1].body {
			t.Errorf("posts %v, want two that are the same", posts)
		}
		if d := f.log(run.ID)[0]; d.Status != shoal.DeliveryDelivered {
			t.Errorf("log: %+v", d)
		}
	})
}

// TestEventThatCannotBeWritten: on a full disk the run does not change without
// its deliveries, and both happen when there is room.
func TestEventThatCannotBeWritten(t *testing.T) {
	e := storetest.SQLite(t)
	f, r := newOffice(t, e, nil), newReceiver(t, nil)
	f.set(map[shoal.Channel]map[string]any{shoal.ChannelWebhook: hook(r.URL)})
	run := e.Run(t, f.squid, shoal.RunSettings{})
	f.deliver(shoal.ChannelWebhook, 1)
	end := func() error {
		_, err := e.Store.ChangeRun(t.Context(), run.ID, "engine", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
			r.Status, r.DoneReason, r.EndedAt = shoal.RunDone, "tasks_done", now
			r.DoneReasonDesc = strings.Repeat("A long sentence. ", 10_000)
			return 0, nil
		})
		return err
	}
	e.Exec(t, `PRAGMA max_page_count = 1`) // what it has, and no more
	if err := end(); !errors.Is(err, shoal.ErrStorageFull) {
		t.Fatalf("%v, want that the storage is full", err)
	}
	if got, err := e.Store.RunByID(t.Context(), run.ID); err != nil || got.Status != shoal.RunRunning || len(f.log(run.ID)) != 1 {
		t.Errorf("the run is %s, log %v, %v: want that nothing happened", got.Status, f.log(run.ID), err)
	}
	e.Exec(t, `PRAGMA max_page_count = 100000`)
	if err := end(); err != nil {
		t.Fatal(err)
	}
	f.deliver(shoal.ChannelWebhook, 1)
	if posts := r.got(); len(posts) != 2 || posts[1].event() != "run.done" {
		t.Errorf("with room: %v", posts)
	}
}
