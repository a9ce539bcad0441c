package api_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/api"
)

// TestAStrangerFindsNothing asks every route that names something of another
// workspace for it: the answer is 404, as if it were not there, lists hold
// nothing of it, and the owner's things stay as they were.
func TestAStrangerFindsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid := w.ok(200, "POST", "/v1/squids", `{"crawler":"website","name":"mine"}`).str("id")
		added := w.ok(200, "POST", "/v1/tasks", fmt.Sprintf(`{"squid":%q,"tasks":[{"url":%q}]}`, squid, site(t, 3, nil)+"/0"))
		task := added.json["tasks"].([]any)[0].(map[string]any)["id"].(string)
		run := w.ok(200, "POST", "/v1/runs", fmt.Sprintf(`{"squid":%q}`, squid)).str("id")
		w.ended(run)
		own := w.ok(201, "POST", "/v1/crawlers", ownPages).str("id")
		before := string(w.get("/v1/squids/" + squid).body)

		other, err := w.Store.CreateUser(t.Context(), shoal.User{Email: "stranger@shoal.test"}, "other")
		if err != nil {
			t.Fatal(err)
		}
		_, key, err := w.Store.CreateKey(t.Context(), other.WorkspaceID, other.ID, "other", shoal.ScopeAdmin, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(method, path, body string) *answer {
			q := request{method: method, path: path, header: map[string]string{"Authorization": "Token " + key}}
			if body != "" {
				q.body = body
			}
			return w.do(q)
		}
		inSquid := fmt.Sprintf(`{"squid":%q}`, squid)
		for _, c := range []struct{ method, path, body, code string }{
			{"GET", "/v1/squids/" + squid, "", "SquidDoesNotExistException"},
			{"POST", "/v1/squids/" + squid, `{"name":"stolen"}`, "SquidDoesNotExistException"},
			{"POST", "/v1/squids/" + squid + "/empty", `{"type":"url"}`, "SquidDoesNotExistException"},
			{"DELETE", "/v1/squids/" + squid, "", "SquidDoesNotExistException"},
			{"GET", "/v1/squids/" + squid + "/chain", "", "SquidDoesNotExistException"},
			{"DELETE", "/v1/squids/" + squid + "/chain", "", "SquidDoesNotExistException"},
			{"POST", "/v1/delivery?squid=" + squid, `{"email":"a@b.example","notifications":true}`, "SquidDoesNotExistException"},
			{"POST", "/v1/tasks", fmt.Sprintf(`{"squid":%q,"tasks":[{"url":"https://a.example/"}]}`, squid), "SquidDoesNotExistException"},
			{"GET", "/v1/tasks?squid=" + squid, "", "SquidDoesNotExistException"},
			{"GET", "/v1/tasks/" + task, "", "TaskDoesNotExist"},
			{"DELETE", "/v1/tasks/" + task, "", "TaskDoesNotExist"},
			{"POST", "/v1/runs", inSquid, "SquidDoesNotExistException"},
			{"GET", "/v1/runs?squid=" + squid, "", "SquidDoesNotExistException"},
			{"GET", "/v1/runs/" + run, "", "RunDoesNotExist"},
			{"GET", "/v1/runs/" + run + "?wait=1", "", "RunDoesNotExist"},
			{"DELETE", "/v1/runs/" + run, "", "RunDoesNotExist"},
			{"POST", "/v1/runs/" + run + "/abort", "", "RunDoesNotExist"},
			{"POST", "/v1/runs/" + run + "/pause", "", "RunDoesNotExist"},
			{"POST", "/v1/runs/" + run + "/resume", "", "RunDoesNotExist"},
			{"POST", "/v1/runs/" + run + "/export", "", "RunDoesNotExist"},
			{"POST", "/v1/runs/" + run + "/share", `{"shared":true}`, "RunDoesNotExist"},
			{"GET", "/v1/runs/" + run + "/stats", "", "RunDoesNotExist"},
			{"GET", "/v1/runs/" + run + "/tasks", "", "RunDoesNotExist"},
			{"GET", "/v1/runs/" + run + "/log", "", "RunDoesNotExist"},
			{"GET", "/v1/runs/" + run + "/timeline", "", "RunDoesNotExist"},
			{"GET", "/v1/runs/" + run + "/events", "", "RunDoesNotExist"},
			{"GET", "/v1/runs/" + run + "/credits", "", "RunDoesNotExist"},
			{"GET", "/v1/runs/" + run + "/download", "", "RunDoesNotExist"},
			{"GET", "/v1/runtasks?run=" + run, "", "RunDoesNotExist"},
			{"GET", "/v1/results?run=" + run, "", "RunDoesNotExist"},
			{"GET", "/v1/results?squid=" + squid, "", "SquidDoesNotExistException"},
			{"GET", "/v1/crawlers/" + own, "", "ModuleNotFound"},
			{"GET", "/v1/crawlers/my-pages", "", "ModuleNotFound"},
			{"GET", "/v1/crawlers/" + own + "/params", "", "ModuleNotFound"},
			{"GET", "/v1/crawlers/" + own + "/attributes", "", "ModuleNotFound"},
			{"PUT", "/v1/crawlers/" + own, ownPages, "ModuleNotFound"},
			{"DELETE", "/v1/crawlers/" + own, "", "ModuleNotFound"},
			{"POST", "/v1/crawlers/" + own + "/try", `{"task":{"url":"https://a.example/"}}`, "ModuleNotFound"},
			{"POST", "/v1/squids", fmt.Sprintf(`{"crawler":%q}`, own), "ModuleNotFound"},
			{"POST", "/v1/squids", `{"crawler":"my-pages"}`, "ModuleNotFound"},
		} {
			if a := ask(c.method, c.path, c.body); a.status != http.StatusNotFound || a.code() != c.code {
				t.Errorf("%s %s: %d %s, want 404 %s", c.method, c.path, a.status, a.body, c.code)
			}
		}
		if n, all := len(ask("GET", "/v1/crawlers", "").data()), len(w.get("/v1/crawlers").data()); n != all-1 {
			t.Errorf("a stranger sees %d crawlers, the owner %d", n, all)
		}
		for _, path := range []string{"/v1/squids", "/v1/runs", "/v1/accounts"} {
			if n := len(ask("GET", path, "").data()); n != 0 {
				t.Errorf("GET %s shows a stranger %d entries", path, n)
			}
		}
		if after := string(w.get("/v1/squids/" + squid).body); after != before {
			t.Errorf("the squid is now\n%s\nand was\n%s", after, before)
		}
		if n := len(w.get("/v1/results?run=" + run).data()); n != 3 {
			t.Errorf("%d results are left of 3", n)
		}
	})
}

// TestNoBodyIsTooStrange sends every JSON route bodies of every wrong shape
// there is: the answer is never a fault of ours.
func TestNoBodyIsTooStrange(t *testing.T) {
	w := newWorld(t, "", nil)
	squid := w.ok(200, "POST", "/v1/squids", `{"crawler":"website"}`).str("id")
	id := strings.Repeat("0", 32)
	values := []string{`null`, `true`, `-1`, `1e400`, `9223372036854775808`, `""`, `"\u0000"`, `[]`, `[null]`, `[[[]]]`, `{}`, `{"":{}}`, `"` + strings.Repeat("x", 5000) + `"`}
	for path, keys := range map[string]string{
		"/v1/crawlers":                   "definition slug",
		"/v1/crawlers/website/try":       "task params max_results max_pages definition",
		"/v1/squids":                     "crawler name",
		"/v1/squids/" + squid:            "name is_active concurrency to_complete export_unique_results no_line_breaks run_notify cron_expression timezone params accounts",
		"/v1/squids/" + squid + "/empty": "type",
		"/v1/squids/" + squid + "/chain": "target_module_id field_map autostart cluster_name cluster_concurrency",
		"/v1/squid/estimate":             "squid crawler tasks params",
		"/v1/tasks":                      "squid tasks",
		"/v1/runs":                       "squid",
		"/v1/runs/" + id + "/share":      "shared",
		"/v1/accounts":                   "account type params",
		"/v1/accounts/cookies":           "type cookies account username",
		"/v1/delivery?squid=" + squid:    "email notifications google_sheet_fields s3_fields ftp_fields webhook_fields slack_fields",
		"/v1/delivery/test-webhook":      "url is_active retry events secret",
		"/v1/delivery/test-s3":           "bucket target_path endpoint region",
		"/v1/delivery/test-sftp":         "host port username password directory",
	} {
		for _, v := range values {
			w.strange(path, v)
			for key := range strings.FieldsSeq(keys) {
				w.strange(path, fmt.Sprintf(`{%q:%s}`, key, v))
			}
		}
	}
	w.get("/v1/squids/" + squid)
}

// strange sends a body, and accepts any answer that is not a server's fault.
func (w *world) strange(path, body string) {
	w.t.Helper()
	if a := w.do(request{method: "POST", path: path, body: body}); a.status >= 500 {
		w.t.Errorf("POST %s %.100s: %d %s", path, body, a.status, a.body)
	}
}

// TestCurlSaysForm: curl -d calls every body a form; JSON under that name is JSON.
func TestCurlSaysForm(t *testing.T) {
	w := newWorld(t, "", nil)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for _, body := range []string{`{"crawler":"website"}`, "\n  {\"crawler\":\"website\"}\n"} {
		if a := w.do(request{method: "POST", path: "/v1/squids", body: body, header: form}); a.status != 200 {
			t.Errorf("%q as a form: %d %s", body, a.status, a.body)
		}
	}
	// An array is JSON, too: what is wrong with it is not its type.
	if a := w.do(request{method: "POST", path: "/v1/squids", body: `[]`, header: form}); a.status != 400 || a.param() != "body" {
		t.Errorf("an array as a form: %d %s", a.status, a.body)
	}
}

// TestReferenceSaysWhatListsHold: a list's data is described once, as an
// array of something, not a second time as the envelope's array of anything.
func TestReferenceSaysWhatListsHold(t *testing.T) {
	w := newWorld(t, "", nil)
	text := string(w.get("/v1/docs").body)
	for _, wrong := range []string{`<code>data</code></td><td class="type">array<`, "&lt;nil&gt;"} {
		if strings.Contains(text, wrong) {
			t.Errorf("the reference has %s", wrong)
		}
	}
	for _, right := range []string{"array of Run<", "always run<"} {
		if !strings.Contains(text, right) {
			t.Errorf("the reference has no %s", right)
		}
	}
}

// TestSlowBodiesEnd: a client that drips its body is answered in time, with a
// key and without, and does not hold its connection.
func TestSlowBodiesEnd(t *testing.T) {
	w := newWorld(t, "", func(o *api.Options) { o.BodyTimeout = 200 * time.Millisecond })
	for name, c := range map[string]struct{ head, want string }{
		"with a key": {"Authorization: Token " + w.Key + "\r\n", "400"},
		"without":    {"", "401"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/squids HTTP/1.1\r\nHost: x\r\n%sContent-Length: 1000\r\n\r\n{", c.head)
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn) // until the server hangs up
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 "+c.want) {
			t.Errorf("%s: %v, %.100q", name, err, got)
		}
	}
	w.get("/v1/me")
}
