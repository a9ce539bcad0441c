package api_test

import (
	"testing"
	"time"

	"shoal"
)

// walkBilling goes through plans, credits and invoices as staff, and through
// what a workspace sees of its own.
func (w *world) walkBilling(squid string) {
	w.t.Helper()
	ws := string(w.Workspace)
	plan := w.ok(201, "POST", "/v1/admin/plans", map[string]any{"name": "Pro", "credits": 1000, "slots": 20, "rollover_max": nil, "premium": true})
	if plan.json["credits"] != 1000.0 || plan.json["slots"] != 20.0 || plan.json["rollover_max"] != nil || plan.json["interval"] != "monthly" {
		w.t.Errorf("a new plan is %s", plan.body)
	}
	if a := w.ok(409, "POST", "/v1/admin/plans", map[string]any{"name": "Pro", "credits": nil}); a.code() != "DuplicatePlan" {
		w.t.Errorf("a second one of the name: %s", a.body)
	}
	w.post("/v1/admin/plans/Pro", map[string]any{"rollover_max": 100, "interval": "daily"})
	if a := w.get("/v1/admin/plans/" + plan.str("id")); a.json["rollover_max"] != 100.0 || a.json["interval"] != "daily" || a.json["credits"] != 1000.0 {
		w.t.Errorf("the changed plan is %s", a.body)
	}
	if n := len(w.get("/v1/admin/plans").data()); n != 2 {
		w.t.Errorf("%d plans, want this one and the default", n)
	}
	if a := w.post("/v1/admin/workspaces/"+ws+"/plan", map[string]any{"plan": "Pro", "timezone": "Europe/Paris"}); a.json["available"] != 1000.0 || a.json["consumed"] != 0.0 || a.json["total_available_slots"] != 20.0 {
		w.t.Errorf("the balance on the plan is %s", a.body)
	}
	if a := w.ok(409, "DELETE", "/v1/admin/plans/Pro", nil); a.code() != "PlanInUse" {
		w.t.Errorf("a plan in use: %s", a.body)
	}
	if a := w.post("/v1/admin/workspaces/owner@shoal.test/credits", map[string]any{"credits": 50.5, "note": "welcome"}); a.json["available"] != 1050.0 || a.json["bonus_credit"] != 50.0 {
		w.t.Errorf("the balance with a bonus is %s", a.body)
	}
	if a := w.ok(400, "POST", "/v1/admin/workspaces/"+ws+"/credits", map[string]any{"credits": -51}); a.code() != "NotEnoughBalance" {
		w.t.Errorf("more taken back than given: %s", a.body)
	}
	entries := w.get("/v1/credits/entries")
	if staff := w.get("/v1/admin/workspaces/" + ws + "/credits"); string(staff.body) == "" || len(staff.data()) != len(entries.data()) {
		w.t.Errorf("staff see %s, the workspace %s", staff.body, entries.body)
	}
	if e := entries.data()[0].(map[string]any); e["kind"] != "grant" || e["credits"] != 50.5 || e["note"] != "welcome" {
		w.t.Errorf("the newest movement is %v", e)
	}
	w.get("/v1/admin/workspaces/" + ws + "/balance")
	w.post("/v1/admin/workspaces/"+ws+"/plan", map[string]any{"plan": "unlimited"})
	if a := w.ok(200, "DELETE", "/v1/admin/plans/Pro", nil); a.json["deleted"] != true {
		w.t.Errorf("deleted: %s", a.body)
	}
	if a := w.ok(409, "DELETE", "/v1/admin/plans/unlimited", nil); a.code() != "PlanInUse" {
		w.t.Errorf("the default plan: %s", a.body)
	}
	w.walkUsage(squid)
	w.walkInvoices(ws)
}

// walkUsage looks at what was spent so far, by the walk's own runs.
func (w *world) walkUsage(squid string) {
	w.t.Helper()
	modules, squids := w.get("/v1/credits/modules?days=1"), w.get("/v1/credits/squids")
	of := w.get("/v1/squids/" + squid + "/credits?limit=1")
	if modules.json["total_credits"] == 0.0 || modules.json["total_credits"] != squids.json["total_credits"] || modules.json["total_results"] != squids.json["total_results"] {
		w.t.Errorf("spent on crawlers: %s, on squids: %s", modules.body, squids.body)
	}
	if m := modules.data()[0].(map[string]any); m["crawler_name"] != "Website" || m["credits"] != modules.json["total_credits"] {
		w.t.Errorf("the website crawler cost %v", m)
	}
	for _, item := range squids.data() {
		if q := item.(map[string]any); q["squid"] == squid && (q["credits"] != of.json["total_credits"] || q["is_deleted"] != false) {
			w.t.Errorf("of the squid %v, and by itself %s", q, of.body)
		}
	}
	if r := of.data()[0].(map[string]any); r["status"] != "done" || r["credits"] == 0.0 || r["breakdown"].([]any)[0].(map[string]any)["function"] != "base" {
		w.t.Errorf("the squid's newest run: %v", r)
	}
	if a := w.ok(400, "GET", "/v1/credits/modules?days=0", nil); a.param() != "days" {
		w.t.Errorf("no days: %s", a.body)
	}
}

func (w *world) walkInvoices(ws string) {
	w.t.Helper()
	made := w.ok(201, "POST", "/v1/admin/invoices", map[string]any{"workspace": ws, "amount": 49.9, "note": "June"})
	id := made.str("id")
	if made.json["amount"] != 49.9 || made.str("status") != "open" || made.str("currency") != "EUR" || made.json["crawler"] != nil {
		w.t.Errorf("a new invoice is %s", made.body)
	}
	w.get("/v1/admin/invoices/" + id)
	if n := len(w.get("/v1/invoices?unpaid=true").data()); n != 1 {
		w.t.Errorf("the workspace sees %d unpaid invoices", n)
	}
	if a := w.post("/v1/admin/invoices/"+id+"/pay", nil); a.str("status") != "paid" || a.str("paid_at") == "" {
		w.t.Errorf("paid: %s", a.body)
	}
	if a := w.ok(409, "POST", "/v1/admin/invoices/"+id+"/cancel", nil); a.code() != "InvoiceClosed" {
		w.t.Errorf("a paid one is cancelled: %s", a.body)
	}
	fee := w.ok(201, "POST", "/v1/admin/invoices", map[string]any{"workspace": "owner@shoal.test", "amount": 5, "crawler": "website", "due_at": "2020-01-31"})
	if fee.str("status") != "overdue" || fee.str("crawler") == "" {
		w.t.Errorf("an overdue fee: %s", fee.body)
	}
	if a := w.get("/v1/user/balance"); a.json["has_unpaid_bill"] != true {
		w.t.Errorf("the balance with an overdue invoice: %s", a.body)
	}
	w.post("/v1/admin/invoices/"+fee.str("id")+"/cancel", nil)
	if a := w.ok(409, "POST", "/v1/admin/invoices/"+fee.str("id")+"/pay", nil); a.code() != "InvoiceClosed" {
		w.t.Errorf("a cancelled one is paid: %s", a.body)
	}
	if n := len(w.get("/v1/admin/invoices?workspace=" + ws).data()); n != 2 {
		w.t.Errorf("%d invoices of the workspace", n)
	}
	if a := w.get("/v1/user/balance"); a.json["has_unpaid_bill"] != false {
		w.t.Errorf("the balance without: %s", a.body)
	}
}

// Wrong terms and amounts are refused with the name of what is wrong.
func TestBillingRefusals(t *testing.T) {
	w := newWorld(t, "", nil)
	ws := "/v1/admin/workspaces/" + string(w.Workspace)
	for _, c := range []struct {
		path        string
		body        map[string]any
		status      int
		code, param string
	}{
		{"/v1/admin/plans", map[string]any{"credits": 5}, 400, "ParamsNeeded", "name"},
		{"/v1/admin/plans", map[string]any{"name": "x"}, 400, "ParamsNeeded", "credits"},
		{"/v1/admin/plans", map[string]any{"name": "x", "credits": -1}, 400, "InvalidParameterValue", "credits"},
		{"/v1/admin/plans", map[string]any{"name": "x", "credits": "5"}, 400, "InvalidParamType", "credits"},
		{"/v1/admin/plans", map[string]any{"name": "x", "credits": 5, "slots": 0}, 400, "InvalidParameterValue", "slots"},
		{"/v1/admin/plans", map[string]any{"name": "x", "credits": 5, "interval": "weekly"}, 400, "InvalidParameterValue", "interval"},
		{"/v1/admin/plans", map[string]any{"name": string(w.Workspace), "credits": 5}, 400, "InvalidParameterValue", "name"},
		{"/v1/admin/plans/none", map[string]any{"credits": 5}, 404, "PlanDoesNotExist", "plan"},
		{"/v1/admin/plans/unlimited", map[string]any{"name": "y"}, 400, "InvalidParam", "name"},
		{ws + "/plan", map[string]any{"plan": "none"}, 404, "PlanDoesNotExist", "plan"},
		{ws + "/plan", map[string]any{"plan": "unlimited", "timezone": "Mars/Base"}, 400, "ParamsInvalid", "timezone"},
		{ws + "/credits", map[string]any{"credits": 0}, 400, "InvalidParameterValue", "credits"},
		{ws + "/credits", map[string]any{}, 400, "ParamsNeeded", "credits"},
		{"/v1/admin/workspaces/nobody@shoal.test/credits", map[string]any{"credits": 1}, 404, "UserDoesNotExist", "user"},
		{"/v1/admin/workspaces/x/credits", map[string]any{"credits": 1}, 404, "WorkspaceDoesNotExist", "workspace"},
		{"/v1/admin/invoices", map[string]any{"workspace": string(w.Workspace), "amount": 0}, 400, "InvalidParameterValue", "amount"},
		{"/v1/admin/invoices", map[string]any{"workspace": string(w.Workspace), "amount": 1.005}, 400, "InvalidParameterValue", "amount"},
		{"/v1/admin/invoices", map[string]any{"workspace": string(w.Workspace), "amount": 1, "currency": "euro"}, 400, "InvalidParameterValue", "currency"},
		{"/v1/admin/invoices", map[string]any{"workspace": string(w.Workspace), "amount": 1, "crawler": "none"}, 404, "ModuleNotFound", "crawler"},
		{"/v1/admin/invoices", map[string]any{"workspace": string(w.Workspace), "amount": 1, "due_at": "soon"}, 400, "InvalidParameterValue", "due_at"},
	} {
		if a := w.ok(c.status, "POST", c.path, c.body); a.code() != c.code || a.param() != c.param {
			t.Errorf("%s %v: %s, want %s of %s", c.path, c.body, a.body, c.code, c.param)
		}
	}
}

// A repeat of a grant with its Idempotency-Key gives nothing more.
func TestGrantOnce(t *testing.T) {
	w := newWorld(t, "", nil)
	w.Plan(t, shoal.Plan{Credits: shoal.CreditsOf(10)})
	q := request{method: "POST", path: "/v1/admin/workspaces/" + string(w.Workspace) + "/credits",
		body: map[string]any{"credits": 5}, header: map[string]string{"Idempotency-Key": "once"}}
	first, second := w.do(q), w.do(q)
	if first.status != 200 || string(first.body) != string(second.body) || first.json["available"] != 15.0 {
		t.Errorf("first %s, then %s", first.body, second.body)
	}
	if b, err := w.Store.Balance(t.Context(), w.Workspace); err != nil || b.Bonus != shoal.CreditsOf(5) || b.ResetTime.Before(time.Now()) {
		t.Errorf("%+v, %v", b, err)
	}
}
