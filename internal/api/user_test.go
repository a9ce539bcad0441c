package api_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/api"
)

// as is do with another key.
func (w *world) as(key, method, path string, body any) *answer {
	w.t.Helper()
	return w.do(request{method: method, path: path, body: body, header: map[string]string{"Authorization": "Token " + key}})
}

// walkKeys makes a key of one's own, uses it and revokes it.
func (w *world) walkKeys() {
	w.t.Helper()
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format("2006-01-02T15:04")
	made := w.ok(201, "POST", "/v1/keys", map[string]any{"name": "ci", "scope": "admin", "expires_at": tomorrow})
	id, secret := made.str("id"), made.str("key")
	if !strings.HasPrefix(secret, made.str("prefix")) || len(secret) < 40 || made.json["last_used_at"] != nil || !strings.HasPrefix(made.str("expires_at"), tomorrow) {
		w.t.Errorf("a new key is %s", made.body)
	}
	if a := w.as(secret, "GET", "/v1/keys?is_active=true&limit=1", nil); a.status != 200 || a.data()[0].(map[string]any)["id"] != id {
		w.t.Errorf("the key lists %d %s", a.status, a.body)
	}
	one := w.get("/v1/keys/" + id)
	if strings.Contains(string(one.body), secret) || one.json["last_used_at"] == nil || one.json["is_active"] != true {
		w.t.Errorf("the key shows as %s", one.body)
	}
	w.ok(200, "DELETE", "/v1/keys/"+id, nil)
	w.ok(404, "DELETE", "/v1/keys/"+id, nil)
	if a := w.as(secret, "GET", "/v1/me", nil); a.status != 401 || a.code() != "NotAuthenticated" {
		w.t.Errorf("the key when it is revoked: %d %s", a.status, a.body)
	}
	if a := w.get("/v1/keys/" + id); a.json["revoked_at"] == nil || a.json["is_active"] != false {
		w.t.Errorf("revoked, it shows as %s", a.body)
	}
}

// walkStaff makes a user, changes them, and a key of theirs.
func (w *world) walkStaff() {
	w.t.Helper()
	w.get("/v1/admin/retention")
	w.post("/v1/admin/retention", map[string]any{"file_days": 30, "dry_run": true})
	made := w.ok(201, "POST", "/v1/admin/users", map[string]any{"email": "Ann@shoal.test", "first_name": "Ann", "workspace_name": "Hers"})
	user, space := made.str("id"), made.str("workspace")
	if made.str("email") != "ann@shoal.test" || made.str("key") == "" || made.json["is_staff"] != false {
		w.t.Errorf("a new user is %s", made.body)
	}
	if a := w.ok(409, "POST", "/v1/admin/users", map[string]any{"email": "ann@shoal.test"}); a.code() != "UserExists" || a.param() != "email" {
		w.t.Errorf("a second Ann: %s", a.body)
	}
	changed := w.post("/v1/admin/users/ann@shoal.test", map[string]any{"last_name": "Lee", "email_verified": true, "profile_image": "https://shoal.test/ann.png"})
	if got := w.get("/v1/admin/users/" + user); string(got.body) != string(changed.body) || got.str("last_name") != "Lee" {
		w.t.Errorf("changed: %s, and then %s", changed.body, got.body)
	}
	me := w.as(made.str("key"), "GET", "/v1/me", nil)
	if me.str("first_name") != "Ann" || me.str("last_name") != "Lee" || me.json["email_verified"] != true || me.str("profile_image") != "https://shoal.test/ann.png" || me.json["is_staff"] != false {
		w.t.Errorf("she is %s", me.body)
	}
	if n := len(w.get("/v1/admin/users?email=ANN&workspace=" + space).data()); n != 1 {
		w.t.Errorf("%d users by email and workspace", n)
	}
	key := w.ok(201, "POST", "/v1/admin/keys", map[string]any{"user": "ann@shoal.test", "name": "hers", "scope": "read"})
	if a := w.as(key.str("key"), "GET", "/v1/me", nil); a.str("id") != user {
		w.t.Errorf("a key made for her: %s", a.body)
	}
	if n := len(w.get("/v1/admin/keys?user=" + user + "&workspace=" + space).data()); n != 2 {
		w.t.Errorf("%d keys of hers", n)
	}
	w.get("/v1/admin/keys/" + key.str("id"))
	w.ok(404, "GET", "/v1/keys/"+key.str("id"), nil) // it is not one's own
	w.ok(200, "DELETE", "/v1/admin/keys/"+key.str("id"), nil)
	if n := len(w.get("/v1/admin/workspaces?limit=1").data()); n != 1 {
		w.t.Errorf("%d workspaces", n)
	}
	if a := w.post("/v1/admin/workspaces/"+space, map[string]any{"name": "Renamed"}); a.str("name") != "Renamed" || a.json["users"] != 1.0 {
		w.t.Errorf("renamed: %s", a.body)
	}
	w.get("/v1/admin/workspaces/" + space)
	w.post("/v1/admin/crawlers/sitemap", map[string]any{"state": "maintenance"})
	if n := len(w.get("/v1/admin/crawlers").data()); n != 1 {
		w.t.Errorf("%d crawlers are not available", n)
	}
	w.post("/v1/admin/crawlers/sitemap", map[string]any{"state": "available"})
	w.post("/v1/admin/users/"+user, map[string]any{"is_active": false})
	if a := w.as(made.str("key"), "GET", "/v1/me", nil); a.status != 401 {
		w.t.Errorf("her key when she is switched off: %d %s", a.status, a.body)
	}
	w.ok(409, "POST", "/v1/admin/users/"+fmt.Sprint(w.User), map[string]any{"is_staff": false})
}

// TestRevokedKeysSeeNoMore: an event stream ends, and a long poll is refused,
// when the key they were opened with is revoked.
func TestRevokedKeysSeeNoMore(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		open := make(chan struct{})
		url := site(t, 5, func(r *http.Request) {
			select {
			case <-open:
			case <-r.Context().Done():
			}
		})
		defer close(open)
		run := w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/0")}).str("id")
		made := w.ok(201, "POST", "/v1/keys", map[string]any{"name": "watcher", "scope": "read"})
		watcher := w.with(made.str("key"))
		events := watcher.follow(t.Context(), run, "")
		<-events
		polled := make(chan *answer)
		go func() { polled <- watcher.do(request{method: "GET", path: "/v1/runs/" + run + "?wait=60"}) }()
		w.ok(200, "DELETE", "/v1/keys/"+made.str("id"), nil)
		w.post("/v1/runs/"+run+"/pause", nil)
		for e := range events {
			if strings.Contains(e.data, `"paused"`) {
				t.Errorf("the stream goes on with %+v", e)
			}
		}
		if a := <-polled; a.status != http.StatusUnauthorized {
			t.Errorf("the long poll: %d %s", a.status, a.body)
		}
		w.post("/v1/runs/"+run+"/abort", nil)
		w.ended(run)
	})
}

// TestSecretsAreShownOnce: a repeat with the same Idempotency-Key makes no
// second key and does not tell the first one's secret again; neither does the
// database, nor the log.
func TestSecretsAreShownOnce(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, "", func(o *api.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for path, body := range map[string]map[string]any{
		"/v1/keys": {"name": "ci"}, "/v1/admin/keys": {"name": "ci", "user": string(w.User)}, "/v1/admin/users": {"email": "ann@shoal.test"},
	} {
		send := func() *answer {
			return w.do(request{method: "POST", path: path, body: body, header: map[string]string{"Idempotency-Key": "once"}})
		}
		first, again := send(), send()
		secret := first.str("key")
		if first.status != 201 || len(secret) < 40 || again.status != 201 || again.str("id") != first.str("id") || again.json["key"] != nil {
			t.Errorf("%s: %d %s, then %d %s", path, first.status, first.body, again.status, again.body)
		}
		if n := w.Int(t, `SELECT COUNT(*) FROM idempotency_keys WHERE CAST(body AS TEXT) LIKE $1`, "%"+secret+"%"); n != 0 {
			t.Errorf("%s: the secret is in the database", path)
		}
		if strings.Contains(log.String(), secret) || !strings.Contains(log.String(), secret[:10]) {
			t.Errorf("%s: the log has the secret, or not its prefix: %s", path, log.String())
		}
	}
	if strings.Contains(log.String(), w.Key) {
		t.Error("the log has the key that requests were made with")
	}
}

// TestWrongKeysAndUsers sends what is wrong with keys and users.
func TestWrongKeysAndUsers(t *testing.T) {
	w := newWorld(t, "", nil)
	user := "/v1/admin/users/" + string(w.User)
	for _, c := range []struct {
		method, path, body string
		status             int
		code, param        string
	}{
		{"POST", "/v1/keys", `{}`, 400, "ParamsNeeded", "name"},
		{"POST", "/v1/keys", `{"name":" "}`, 400, "ParamsNeeded", "name"},
		{"POST", "/v1/keys", `{"name":"a","scope":"root"}`, 400, "InvalidParameterValue", "scope"},
		{"POST", "/v1/keys", `{"name":"a","expires_at":"2001-01-01"}`, 400, "InvalidParameterValue", "expires_at"},
		{"POST", "/v1/keys", `{"name":"a","expires_at":"soon"}`, 400, "InvalidParameterValue", "expires_at"},
		{"POST", "/v1/keys", `{"name":"a","expires_at":253402300800}`, 400, "InvalidParamType", "expires_at"},
		{"POST", "/v1/keys", `{"name":"a","expires_at":"9999-12-31T23:59:59-10:00"}`, 400, "InvalidParameterValue", "expires_at"},
		{"GET", "/v1/keys?is_active=perhaps", ``, 400, "InvalidParamType", "is_active"},
		{"GET", "/v1/keys/nope", ``, 404, "KeyDoesNotExist", "key"},
		{"POST", "/v1/admin/keys", `{"name":"a"}`, 400, "ParamsNeeded", "user"},
		{"POST", "/v1/admin/keys", `{"name":"a","user":"nobody"}`, 404, "UserDoesNotExist", "user"},
		{"POST", "/v1/admin/keys", `{"name":"a","user":"nobody@shoal.test"}`, 404, "UserDoesNotExist", "user"},
		{"GET", "/v1/admin/keys?user=x", ``, 404, "UserDoesNotExist", "user"},
		{"GET", "/v1/admin/users/%00@x", ``, 404, "UserDoesNotExist", "user"},
		{"GET", "/v1/admin/users/%ff@x", ``, 404, "UserDoesNotExist", "user"},
		{"POST", "/v1/admin/users", `{}`, 400, "ParamsNeeded", "email"},
		{"POST", "/v1/admin/users", `{"email":"Ann <ann@shoal.test>"}`, 400, "InvalidParameterValue", "email"},
		{"POST", "/v1/admin/users", `{"email":"a@b.c","workspace":"x"}`, 404, "WorkspaceDoesNotExist", "workspace"},
		{"POST", "/v1/admin/users", `{"email":"a@b.c","workspace":"` + string(w.Workspace) + `","workspace_name":"x"}`, 400, "MultipleParamsNeeded", "workspace,workspace_name"},
		{"POST", "/v1/admin/users", `{"email":"a@b.c","profile_image":"javascript:alert(1)"}`, 400, "InvalidParameterValue", "profile_image"},
		{"POST", "/v1/admin/users", `{"email":"a@b.c","first_name":"a\u0001b"}`, 400, "InvalidParameterValue", "first_name"},
		{"POST", user, `{"email":null}`, 400, "InvalidParameterValue", "email"},
		{"POST", user, `{"is_active":null}`, 400, "ParamsNeeded", "is_active"},
		{"POST", user, `{"is_staff":"yes"}`, 400, "InvalidParamType", "is_staff"},
		{"POST", user, `{"is_active":false}`, 409, "LastStaffUser", "user"},
		{"POST", "/v1/admin/workspaces/" + string(w.Workspace), `{}`, 400, "ParamsNeeded", "name"},
		{"POST", "/v1/admin/workspaces/nope", `{"name":"a"}`, 404, "WorkspaceDoesNotExist", "workspace"},
	} {
		q := request{method: c.method, path: c.path}
		if c.body != "" {
			q.body = c.body
		}
		if a := w.do(q); a.status != c.status || a.code() != c.code || a.param() != c.param {
			t.Errorf("%s %s %s: %d %s at %q, want %d %s at %q", c.method, c.path, c.body, a.status, a.body, a.param(), c.status, c.code, c.param)
		}
	}
}

// TestLimitsAreEachKeysOwn: keys of one user have a limit each, and a key the
// same one wherever it is used in a class.
func TestLimitsAreEachKeysOwn(t *testing.T) {
	now := time.Now()
	w := newWorld(t, "", func(o *api.Options) {
		o.Now = func() time.Time { return now }
		o.Limits = api.Limits{Squids: 3, Tasks: 2, Runs: 1, Results: 1}
	})
	squid := shoal.NewID[string]()
	left := func(key, path string) string {
		t.Helper()
		a := w.as(key, "GET", path, nil)
		if a.status == http.StatusTooManyRequests {
			return "none for " + a.header.Get("Retry-After")
		}
		return a.header.Get("X-Ratelimit-Remaining")
	}
	var keys []string
	for range 5 {
		_, secret, err := w.Store.CreateKey(t.Context(), w.Workspace, w.User, "k", shoal.ScopeRead, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, secret)
	}
	for _, key := range keys { // each begins with all of its own
		for i, want := range []string{"2", "1", "0", "none for 20", "none for 20"} {
			path := []string{"/v1/squids", "/v1/squids/" + squid}[i%2]
			if got := left(key, path); got != want {
				t.Errorf("request %d: %s left, want %s", i, got, want)
			}
		}
		if got := left(key, "/v1/tasks/"+squid); got != "1" {
			t.Errorf("another class: %s left, want 1", got)
		}
	}
	now = now.Add(20 * time.Second) // one is back
	for _, key := range keys {
		if got, then := left(key, "/v1/squids"), left(key, "/v1/squids"); got != "0" || then != "none for 20" {
			t.Errorf("20 s later: %s left, then %s", got, then)
		}
	}
	now = now.Add(time.Hour)
	if got := left(keys[0], "/v1/squids"); got != "2" {
		t.Errorf("an hour later: %s left, want 2: no more than the limit is saved up", got)
	}
}

// TestSharedLinksAreLimited: those who follow a public link have a limit
// together, apart from that of the owner's keys.
func TestSharedLinksAreLimited(t *testing.T) {
	w := newWorld(t, "", func(o *api.Options) { o.Limits = api.Limits{Results: 2} })
	run := w.post("/v1/runs", map[string]any{"squid": w.squid(site(t, 1, nil) + "/0")}).str("id")
	w.ended(run)
	w.post("/v1/runs/"+run+"/share", map[string]any{"shared": true})
	for i, want := range []int{200, 200, http.StatusTooManyRequests} {
		if a := w.do(request{method: "GET", path: "/v1/results?run=" + run, anonymous: true}); a.status != want {
			t.Errorf("request %d without a key: %d, want %d", i, a.status, want)
		}
	}
	w.get("/v1/results?run=" + run)
}

// TestKeysAreEachUsersOwn: users of one workspace share its squids, and not
// their keys: neither by looking nor by an Idempotency-Key that both use.
func TestKeysAreEachUsersOwn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bob := w.ok(201, "POST", "/v1/admin/users", map[string]any{"email": "bob@shoal.test", "workspace": string(w.Workspace)})
		squid := w.squid()
		if a := w.as(bob.str("key"), "GET", "/v1/squids/"+squid, nil); a.status != 200 {
			t.Errorf("a squid of his workspace: %d %s", a.status, a.body)
		}
		mine := w.ok(201, "POST", "/v1/keys", map[string]any{"name": "mine"}).str("id")
		for _, method := range []string{"GET", "DELETE"} {
			if a := w.as(bob.str("key"), method, "/v1/keys/"+mine, nil); a.status != 404 || a.code() != "KeyDoesNotExist" {
				t.Errorf("%s of another user's key: %d %s", method, a.status, a.body)
			}
		}
		if a := w.as(bob.str("key"), "GET", "/v1/keys", nil); len(a.data()) != 1 || a.data()[0].(map[string]any)["user"] != bob.str("id") {
			t.Errorf("Bob's keys: %s", a.body)
		}
		send := func(key string) *answer {
			return w.do(request{method: "POST", path: "/v1/keys", body: map[string]any{"name": "x"}, header: map[string]string{
				"Authorization": "Token " + key, "Idempotency-Key": "same"}})
		}
		first, his := send(w.Key), send(bob.str("key"))
		if first.status != 201 || his.status != 201 || his.str("user") != bob.str("id") || his.str("key") == "" {
			t.Errorf("with one Idempotency-Key: %s and %s", first.body, his.body)
		}
	})
}
