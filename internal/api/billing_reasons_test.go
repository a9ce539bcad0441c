package api_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/schedule"
	"shoal/internal/store/storetest"
)

// onPlan puts the workspace on a plan made of terms, through the staff API.
func (w *world) onPlan(terms map[string]any) *answer {
	w.t.Helper()
	name := "plan " + shoal.NewID[string]()[20:]
	terms["name"] = name
	w.ok(201, "POST", "/v1/admin/plans", terms)
	return w.post("/v1/admin/workspaces/"+string(w.Workspace)+"/plan", map[string]any{"plan": name})
}

// refused starts a run of squid, which must be refused with code.
func (w *world) refused(squid, code string) *answer {
	w.t.Helper()
	a := w.ok(400, "POST", "/v1/runs", map[string]any{"squid": squid})
	if a.code() != code || strings.Contains(a.str("detail"), "It goes on") {
		w.t.Errorf("a start is refused with %s, want %s", a.body, code)
	}
	return a
}

// held says that the run is paused for reason, with a helpful sentence.
func (w *world) held(run, reason, desc string) {
	w.t.Helper()
	a := w.until(run, "paused")
	if a.str("done_reason") != reason || !strings.Contains(a.str("done_reason_desc"), desc) {
		w.t.Errorf("paused as %s: %s; want %s: …%s…", a.str("done_reason"), a.str("done_reason_desc"), reason, desc)
	}
}

// countingSite is site, and counts the requests of pages.
func countingSite(t *testing.T, n int) (url string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	return site(t, n, func(r *http.Request) {
		if r.URL.Path != "/robots.txt" {
			asked.Add(1)
		}
	}), asked
}

// complete says that the run ended with each of n rows once, and paid once.
func (w *world) complete(run string, n int) *answer {
	w.t.Helper()
	a := w.ended(run)
	if a.str("status") != "done" || a.str("done_reason") != "tasks_done" || a.json["total_unique_results"] != float64(n) ||
		a.json["total_results"] != float64(n) || a.json["credit_used"] != float64(n) {
		w.t.Errorf("want %d rows, each paid: %s", n, a.body)
	}
	storetest.Check(w.t, w.Env, shoal.RunID(run))
	return a
}

// TestNoCreditsLeftUntilAGrant: the first page that cannot be paid is not
// stored; the run pauses, nobody can start another, and a grant lets it go on.
func TestNoCreditsLeftUntilAGrant(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.onPlan(map[string]any{"credits": 4})
		url, asked := countingSite(t, 10)
		squid, other := w.squid(url+"/0"), w.squid(url+"/0")
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		w.held(run, "no_credits_left", "when credits are granted")
		if b := w.get("/v1/user/balance"); b.json["available"] != 4.0 || b.json["consumed"] != 4.0 {
			t.Errorf("the balance: %s", b.body)
		}
		storetest.Check(t, w.Env, shoal.RunID(run))
		w.refused(other, "NotEnoughBalance")
		if a := w.post("/v1/runs/"+run+"/resume", nil); a.str("status") != "paused" || a.str("done_reason") != "no_credits_left" {
			t.Errorf("resumed without credits: %s", a.body)
		}
		w.post("/v1/admin/workspaces/"+string(w.Workspace)+"/credits", map[string]any{"credits": 100})
		w.complete(run, 10)
		if n := asked.Load(); n < 10 || n > 16 {
			t.Errorf("%d requests for 10 pages: only those that could not be paid are asked for again", n)
		}
		c := w.get("/v1/runs/" + run + "/credits")
		if parts := c.json["breakdown"].([]any); c.json["total_credits"] != 10.0 || len(parts) != 1 || parts[0].(map[string]any)["attempts"] != 10.0 {
			t.Errorf("what it cost: %s", c.body)
		}
		w.timeline(run, "pending", "running", "paused", "running", "uploading", "done")
	})
}

// TestNoCreditsLeftUntilThePeriodBegins: the reset at midnight wakes the run,
// at the run's zone's midnight, and bonus credits outlive it.
func TestNoCreditsLeftUntilThePeriodBegins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.onPlan(map[string]any{"credits": 8, "interval": "daily"})
		w.post("/v1/admin/workspaces/"+string(w.Workspace)+"/credits", map[string]any{"credits": 1})
		url, _ := countingSite(t, 15)
		run := w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/0")}).str("id")
		w.held(run, "no_credits_left", "period begins anew")
		reset, err := time.Parse("2006-01-02T15:04:05.000000", w.get("/v1/user/balance").str("reset_time"))
		if err != nil {
			t.Fatal(err)
		}
		w.clock.advance(reset.Sub(w.clock.now()) + time.Millisecond)
		w.complete(run, 15)
		if b := w.get("/v1/user/balance"); b.json["available"] != 8.0 || b.json["consumed"] != 6.0 || b.json["bonus_credit"] != 0.0 {
			t.Errorf("the balance after the reset: %s", b.body)
		}
	})
}

// TestSlotsLimit: runs hold their concurrency, a person's start over the plan's
// slots is refused, and a schedule's run waits for a slot.
func TestSlotsLimit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.onPlan(map[string]any{"credits": nil, "slots": 3})
		url, came, open := heldSite(t, 10, "/7")
		first, second, third := w.squid(url+"/0"), w.squid(url+"/1"), w.squid(url+"/2")
		w.post("/v1/squids/"+first, map[string]any{"concurrency": 2})
		w.post("/v1/squids/"+second, map[string]any{"concurrency": 2})
		run := w.post("/v1/runs", map[string]any{"squid": first}).str("id")
		<-came
		if b := w.get("/v1/user/balance"); b.json["used_slots"] != 2.0 || b.json["total_available_slots"] != 3.0 {
			t.Errorf("the balance: %s", b.body)
		}
		w.refused(second, "SlotsLimitExceeded")
		if a := w.ok(400, "POST", "/v1/runs", map[string]any{"squid": second, "force_launch": true}); a.code() != "SlotsLimitExceeded" {
			t.Errorf("forced on a plan that does not let people: %s", a.body)
		}
		w.post("/v1/squids/"+second, map[string]any{"cron_expression": "* * * * *"})
		stop := w.launching()
		w.clock.advance(time.Minute)
		waiting := w.newest(second)
		w.held(waiting, "slots_limit_exceeded", "needs 2 of the plan's 3 slots, and running runs hold 2")
		stop()
		w.post("/v1/squids/"+second, map[string]any{"cron_expression": nil})
		w.complete(w.post("/v1/runs", map[string]any{"squid": third}).str("id"), 3) // of one slot: it is free
		if a := w.get("/v1/runs/" + waiting); a.str("status") != "paused" {
			t.Errorf("one freed slot is not enough for two: %s", a.body)
		}
		open()
		w.complete(run, 10)
		if a := w.ended(waiting); a.str("status") != "done" || a.str("origin") != "schedule" {
			t.Errorf("the run that waited: %s", a.body)
		}
		if b := w.get("/v1/user/balance"); b.json["used_slots"] != 0.0 {
			t.Errorf("nothing runs: %s", b.body)
		}
	})
}

// launching launches what is scheduled until stop is called.
func (w *world) launching() (stop func()) {
	launcher := schedule.NewLauncher(w.Store, w.svc, schedule.LauncherConfig{Now: w.clock.now, Look: 20 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- launcher.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("launcher: %v", err)
		}
	}
}

// newest waits until the squid has a run and returns it.
func (w *world) newest(squid string) string {
	w.t.Helper()
	for {
		if data := w.get("/v1/runs?limit=1&squid=" + squid).data(); len(data) > 0 {
			return data[0].(map[string]any)["id"].(string)
		}
	}
}

// TestSlotsMayBeForced: where the plan lets people start runs over its slots.
func TestSlotsMayBeForced(t *testing.T) {
	w := newWorld(t, "", nil)
	w.onPlan(map[string]any{"credits": nil, "slots": 1, "force_launch": true})
	url, came, open := heldSite(t, 10, "/7")
	run := w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/0")}).str("id")
	<-came
	other := w.squid(url + "/9")
	w.refused(other, "SlotsLimitExceeded")
	forced := w.post("/v1/runs", map[string]any{"squid": other, "force_launch": true})
	if forced.json["force_launch"] != true {
		t.Errorf("forced: %s", forced.body)
	}
	w.complete(forced.str("id"), 1)
	open()
	w.complete(run, 10)
}

// owing records an invoice of the workspace that is due in an hour.
func (w *world) owing(more map[string]any) string {
	w.t.Helper()
	body := map[string]any{"workspace": string(w.Workspace), "amount": 49.9, "due_at": w.clock.now().Add(time.Hour).UTC().Format(time.RFC3339)}
	for k, v := range more {
		body[k] = v
	}
	return w.ok(201, "POST", "/v1/admin/invoices", body).str("id")
}

// fails says that a run of squid is made, and ends at once for reason.
func (w *world) fails(squid, reason, desc string) {
	w.t.Helper()
	a := w.ended(w.post("/v1/runs", map[string]any{"squid": squid}).str("id"))
	if a.str("status") != "error" || a.str("done_reason") != reason || !strings.Contains(a.str("done_reason_desc"), desc) || a.json["credit_used"] != 0.0 {
		w.t.Errorf("ended as %s %s: %s; want error %s: …%s…", a.str("status"), a.str("done_reason"), a.str("done_reason_desc"), reason, desc)
	}
}

// TestLastInvoiceNotPaid: a run under way when the invoice falls due goes on to
// its end; new ones end until it is paid.
func TestLastInvoiceNotPaid(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url, came, open := heldSite(t, 10, "/7")
		squid, other := w.squid(url+"/0"), w.squid(url+"/9")
		invoice := w.owing(nil)
		run := w.post("/v1/runs", map[string]any{"squid": squid}).str("id")
		<-came
		if b := w.get("/v1/user/balance"); b.json["has_unpaid_bill"] != false {
			t.Errorf("before it is due: %s", b.body)
		}
		w.clock.advance(2 * time.Hour)
		if b := w.get("/v1/user/balance"); b.json["has_unpaid_bill"] != true {
			t.Errorf("when it is overdue: %s", b.body)
		}
		w.fails(other, "last_invoice_not_paid", "INV-000001 over 49.90 EUR was due on")
		open()
		w.complete(run, 10)
		w.post("/v1/admin/invoices/"+invoice+"/pay", nil)
		w.complete(w.post("/v1/runs", map[string]any{"squid": other}).str("id"), 1)
	})
}

// TestMaintenanceFeesNotPaid: it concerns the runs of that crawler alone.
func TestMaintenanceFeesNotPaid(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url, _ := countingSite(t, 3)
		own := w.ok(201, "POST", "/v1/crawlers", ownDefinition).str("id")
		squid := w.post("/v1/squids", map[string]any{"crawler": own}).str("id")
		w.addTasks(squid, url+"/2")
		invoice := w.owing(map[string]any{"crawler": own})
		w.clock.advance(2 * time.Hour)
		w.fails(squid, "maintenance_fees_not_paid", "maintenance fee: the invoice INV-000001")
		w.complete(w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/2")}).str("id"), 1)
		w.post("/v1/admin/invoices/"+invoice+"/cancel", nil)
		if a := w.ended(w.post("/v1/runs", map[string]any{"squid": squid}).str("id")); a.str("status") != "done" {
			t.Errorf("after it: %s", a.body)
		}
	})
}

// TestPremiumPlanNeeded: until the workspace is on a plan that includes such crawlers.
func TestPremiumPlanNeeded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		url, _ := countingSite(t, 1)
		premium := w.ok(201, "POST", "/v1/crawlers", map[string]string{"definition": strings.Replace(ownPages, "slug:", "premium: true\nslug:", 1)})
		squid := w.post("/v1/squids", map[string]any{"crawler": premium.str("id")}).str("id")
		w.addTasks(squid, url+"/0")
		w.onPlan(map[string]any{"credits": 100})
		w.fails(squid, "premium_plan_needed", "Change the plan")
		w.onPlan(map[string]any{"credits": 100, "premium": true})
		if a := w.ended(w.post("/v1/runs", map[string]any{"squid": squid}).str("id")); a.str("status") != "done" {
			t.Errorf("on a plan that includes it: %s", a.body)
		}
	})
}

// TestPausedRunMeetsAnOverdueInvoice: it ends when it would go on, with what it has.
func TestPausedRunMeetsAnOverdueInvoice(t *testing.T) {
	w := newWorld(t, "", nil)
	w.onPlan(map[string]any{"credits": 4})
	url, _ := countingSite(t, 10)
	run := w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/0")}).str("id")
	w.held(run, "no_credits_left", "")
	w.owing(nil)
	w.clock.advance(2 * time.Hour)
	w.post("/v1/admin/workspaces/"+string(w.Workspace)+"/credits", map[string]any{"credits": 100})
	a := w.ended(run)
	if a.str("status") != "error" || a.str("done_reason") != "last_invoice_not_paid" || a.json["export_done"] != true || a.json["total_unique_results"] != 4.0 {
		t.Errorf("ended: %s", a.body)
	}
}
