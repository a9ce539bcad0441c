package api_test

import (
	"fmt"
	"strings"
	"time"
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
	w.post("/v1/admin/users/"+user, map[string]any{"is_active": false})
	if a := w.as(made.str("key"), "GET", "/v1/me", nil); a.status != 401 {
		w.t.Errorf("her key when she is switched off: %d %s", a.status, a.body)
	}
	w.ok(409, "POST", "/v1/admin/users/"+fmt.Sprint(w.User), map[string]any{"is_staff": false})
}
