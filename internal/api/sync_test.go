package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"shoal/internal/fixtures"
)

// club makes the crawler of a club's site a workspace's own, and returns the site.
func (w *world) club() *fixtures.ClubSite {
	w.t.Helper()
	site := fixtures.Club()
	server := httptest.NewServer(site)
	w.t.Cleanup(server.Close)
	src, err := os.ReadFile("../../docs/language/16-account-code.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	if a := w.yaml("POST", "/v1/crawlers", strings.ReplaceAll(string(src), "https://club.example", server.URL)); a.status != 201 {
		w.t.Fatalf("the club's crawler: %d %s", a.status, a.body)
	}
	return site
}

// synced waits for the end of a synchronization.
func (w *world) synced(begun *answer) *answer {
	w.t.Helper()
	if begun.json["status_code"] != 100.0 || begun.str("status_text") != "created" || begun.str("object") != "synchronize-cookies" {
		w.t.Errorf("it begins as %s", begun.body)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		a := w.get("/v1/synchronize/" + begun.str("id"))
		if code := a.json["status_code"].(float64); code >= 200 {
			return a
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("it does not end: %s", a.body)
		}
	}
}

// walkLogin links accounts by log-in, tries their sessions and sets their limits.
func (w *world) walkLogin() {
	w.t.Helper()
	site := w.club()
	ida, joe := site.Members[0], site.Members[1]
	types := w.get("/v1/account_types?limit=100").data()
	if len(types) != 2 || types[1].(map[string]any)["name"] != "example-club" || types[1].(map[string]any)["login"] != true {
		w.t.Fatalf("types: %v", types)
	}
	login := func(user, password, otp string) *answer {
		return w.synced(w.post("/v1/accounts/login", map[string]any{"type": "example-club", "username": user, "password": password, "otp": otp, "remember": true}))
	}
	if a := login(ida.Email, "guess", ""); a.json["status_code"] != 401.0 || a.str("status_code_info") != "wrong_credentials" || a.json["account_hash"] != nil {
		w.t.Errorf("a wrong password: %s", a.body)
	}
	if a := login(joe.Email, joe.Password, ""); a.json["status_code"] != 428.0 || a.str("status_code_info") != "otp_needed" {
		w.t.Errorf("without a code: %s", a.body)
	}
	if a := login(joe.Email, joe.Password, site.Mailed(joe.Email)); a.json["status_code"] != 200.0 {
		w.t.Errorf("with the code: %s", a.body)
	}
	good := login(ida.Email, ida.Password, "")
	id := good.str("account_hash")
	if good.json["status_code"] != 200.0 || good.str("status_text") != "synchronized" || id == "" {
		w.t.Fatalf("the right password: %s", good.body)
	}
	account := w.get("/v1/accounts/" + id).data()[0].(map[string]any)
	if account["username"] != ida.Email || account["type"] != "example-club" || account["status"] != "200" || account["remembered"] != true {
		w.t.Errorf("%v", account)
	}
	site.Expire()
	if a := w.synced(w.post("/v1/accounts/"+id+"/check", nil)); a.json["status_code"] != 200.0 || site.Logins() != 4 {
		w.t.Errorf("after the session's end: %s, %d log-ins", a.body, site.Logins())
	}
}

// TestAccountRequests: what is wrong with a request is said by name, and no
// answer repeats a secret.
func TestAccountRequests(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.club()
		generic := w.post("/v1/accounts/cookies", `{"type": "cookie-session", "username": "mine", "domain": ".Example.com", "cookies": {"sid": "x"}}`)
		id := w.synced(generic).str("account_hash")
		zero := strings.Repeat("0", 32)
		for _, c := range []struct {
			path, body  string
			status      int
			code, param string
		}{
			{"/v1/accounts/login", `{}`, 400, "ParamsNeeded", "type"},
			{"/v1/accounts/login", `{"type": "example-club", "username": "u"}`, 400, "ParamsNeeded", "password"},
			{"/v1/accounts/login", `{"type": "example-club", "username": " ", "password": "hunter2"}`, 400, "InvalidParameterValue", "username"},
			{"/v1/accounts/login", `{"type": "example-club", "username": "u", "password": ["hunter2"]}`, 400, "InvalidParamType", "password"},
			{"/v1/accounts/login", `{"type": "nothing", "username": "u", "password": "hunter2"}`, 404, "AccountTypeDoesNotExist", "type"},
			{"/v1/accounts/login", `{"type": "cookie-session", "username": "u", "password": "hunter2"}`, 400, "InvalidParameterValue", "type"},
			{"/v1/accounts/login", `{"type": "example-club", "account": "` + id + `", "username": "u", "password": "hunter2"}`, 400, "InvalidParameterValue", "type"},
			{"/v1/accounts/login", `{"type": "example-club", "account": "` + zero + `", "username": "u", "password": "hunter2"}`, 404, "AccountDoesNotExist", "account"},
			{"/v1/accounts/login", `{"password": "hunter2", "type"`, 400, "InvalidParam", "body"},
			{"/v1/accounts/cookies", `{"type": "example-club", "domain": "club.example", "cookies": {"sid": "hunter2"}}`, 400, "InvalidParam", "domain"},
			{"/v1/accounts/cookies", `{"type": "cookie-session", "domain": "no domain", "cookies": {"sid": "hunter2"}}`, 400, "InvalidParameterValue", "domain"},
			{"/v1/accounts/cookies", `{"type": "cookie-session", "cookies": {"sid": "hunter2; Path=/"}}`, 400, "InvalidParameterValue", "cookies.sid"},
			{"/v1/accounts/cookies", `{"type": "cookie-session", "cookies": {}}`, 400, "ParamsNeeded", "cookies"},
			{"/v1/accounts/" + id + "/check", ``, 400, "InvalidParameterValue", "account"},
			{"/v1/accounts/" + zero + "/check", ``, 404, "AccountDoesNotExist", "account"},
			{"/v1/accounts", `{"account": "` + id + `", "params": {"profiles": 3}}`, 400, "InvalidParam", "params.profiles"},
		} {
			a := w.do(request{method: "POST", path: c.path, body: c.body})
			if a.status != c.status || a.code() != c.code || a.param() != c.param {
				t.Errorf("POST %s %s: %d %s, want %d %s %s", c.path, c.body, a.status, a.body, c.status, c.code, c.param)
			}
			if strings.Contains(string(a.body), "hunter2") {
				t.Errorf("POST %s repeats the secret: %s", c.path, a.body)
			}
		}
		again := w.synced(w.post("/v1/accounts/cookies", `{"type": "cookie-session", "username": "mine", "cookies": {"sid": "y"}}`))
		if again.str("account_hash") != id {
			t.Errorf("the same name made another account: %s", again.body)
		}
	})
}

// TestSharedAccountTypes: two crawlers share an account type only by the same block.
func TestSharedAccountTypes(t *testing.T) {
	w := newWorld(t, "", nil)
	w.club()
	src, err := os.ReadFile("../../docs/language/16-account-code.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.ReplaceAll(strings.ReplaceAll(string(src), "club-news", "club-gossip"), "Club news", "Club gossip")
	a := w.yaml("POST", "/v1/crawlers", other)
	if a.status != 400 || !strings.Contains(string(a.body), "club-news") || !strings.Contains(string(a.body), "example-club") {
		t.Errorf("another site under the same type: %d %s", a.status, a.body)
	}
	renamed := strings.ReplaceAll(other, "slug: example-club", "slug: other-club")
	if a := w.yaml("POST", "/v1/crawlers", renamed); a.status != 201 {
		t.Errorf("with a type of its own: %d %s", a.status, a.body)
	}
	var list struct{ Data []struct{ Name string } }
	if err := json.Unmarshal(w.get("/v1/account_types").body, &list); err != nil || len(list.Data) != 3 {
		t.Errorf("%v, %v", list, err)
	}
}
