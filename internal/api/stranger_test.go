package api_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"shoal/internal/api"
)

// TestNoBodyIsTooStrange sends every JSON route bodies of every wrong shape
// there is: the answer is never a fault of ours.
func TestNoBodyIsTooStrange(t *testing.T) {
	w := newWorld(t, "", nil)
	squid := w.ok(200, "POST", "/v1/squids", `{"crawler":"website"}`).str("id")
	id := strings.Repeat("0", 32)
	values := []string{`null`, `true`, `-1`, `1e400`, `9223372036854775808`, `""`, `"\u0000"`, `[]`, `[null]`, `[[[]]]`, `{}`, `{"":{}}`, `"` + strings.Repeat("x", 5000) + `"`}
	for path, keys := range map[string]string{
		"/v1/crawlers":                     "definition slug",
		"/v1/crawlers/website/try":         "task params max_results max_pages definition",
		"/v1/squids":                       "crawler name",
		"/v1/squids/" + squid:              "name is_active concurrency to_complete export_unique_results no_line_breaks run_notify cron_expression timezone missed_launches launch_jitter params accounts",
		"/v1/squids/" + squid + "/empty":   "type",
		"/v1/squids/" + squid + "/chain":   "target_module_id field_map autostart cluster_name cluster_concurrency",
		"/v1/squids/" + squid + "/cursors": "name to",
		"/v1/squid/estimate":               "squid crawler tasks params",
		"/v1/tasks":                        "squid tasks",
		"/v1/runs":                         "squid",
		"/v1/runs/" + id + "/share":        "shared",
		"/v1/keys":                         "name scope expires_at",
		"/v1/admin/keys":                   "user name scope expires_at",
		"/v1/admin/users":                  "email first_name last_name profile_image is_staff email_verified workspace workspace_name",
		"/v1/admin/users/" + id:            "email first_name last_name profile_image is_active is_staff email_verified",
		"/v1/admin/workspaces/" + id:       "name",
		"/v1/accounts":                     "account type params",
		"/v1/accounts/cookies":             "type cookies account username domain",
		"/v1/accounts/login":               "type username password otp remember account",
		"/v1/accounts/" + id + "/check":    "",
		"/v1/delivery?squid=" + squid:      "email notifications google_sheet_fields s3_fields ftp_fields webhook_fields slack_fields database_fields",
		"/v1/delivery/test-webhook":        "url is_active retry events secret",
		"/v1/delivery/test-s3":             "bucket target_path endpoint region",
		"/v1/delivery/test-sftp":           "host port username password directory",
		"/v1/delivery/test-slack":          "url",
		"/v1/delivery/test-database":       "url table schema mode key columns fields omit create ca",
		"/v1/delivery/test-email":          "email",
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
