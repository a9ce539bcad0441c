package api_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"shoal"
)

// The tests of this file go through every operation of openapi.yaml. One that is
// new is tried without a word here if its ids are called as the others are; if
// not, a test fails and says which of the three tables below it wants a line in.

// possessions make what a workspace can own, by the part of the path before
// {id}. Each is made of those before it.
var possessions = []struct {
	kind string
	make func(w *world, own things) string
}{
	{"crawlers", func(w *world, _ things) string { return w.ok(201, "POST", "/v1/crawlers", ownDefinition).str("id") }},
	{"squids", func(w *world, _ things) string {
		return w.post("/v1/squids", map[string]any{"crawler": "website", "name": "mine"}).str("id")
	}},
	{"tasks", func(w *world, own things) string {
		added := w.addTasks(own["squids"], site(w.t, 3, nil)+"/0")
		return added.json["tasks"].([]any)[0].(map[string]any)["id"].(string)
	}},
	{"runs", func(w *world, own things) string {
		run := w.post("/v1/runs", map[string]any{"squid": own["squids"]}).str("id")
		w.ended(run)
		return run
	}},
	{"deliveries", func(w *world, own things) string {
		hook := map[string]any{"url": "http://127.0.0.1:1/", "retry": false, "events": map[string]any{"run.done": true}}
		w.ok(201, "POST", "/v1/delivery?squid="+own["squids"], map[string]any{"webhook_fields": hook})
		w.ended(w.post("/v1/runs", map[string]any{"squid": own["squids"]}).str("id"))
		for { // the one attempt is recorded soon after
			if failed := w.get("/v1/deliveries?status=failed&squid=" + own["squids"]).data(); len(failed) > 0 {
				return failed[0].(map[string]any)["id"].(string)
			}
		}
	}},
	{"tasks/upload", func(w *world, own things) string {
		id := w.upload(own["squids"], "tasks.csv", []byte("url\nhttps://a.example/\n"), nil).str("id")
		w.uploaded(id)
		return id
	}},
	{"synchronize", func(w *world, _ things) string {
		return w.post("/v1/accounts/cookies", map[string]any{"type": "cookie-session", "cookies": map[string]any{"sid": "x"}}).str("id")
	}},
	{"accounts", func(w *world, own things) string {
		return w.get("/v1/synchronize/" + own["synchronize"]).str("account_hash")
	}},
	{"keys", func(w *world, _ things) string {
		return w.ok(201, "POST", "/v1/keys", map[string]any{"name": "one"}).str("id")
	}},
	{"chain", func(w *world, own things) string {
		return w.ok(201, "POST", "/v1/squids/"+own["squids"]+"/chain",
			map[string]any{"target_module_id": own["crawlers"], "field_map": map[string]any{"url": "url"}}).str("id")
	}},
}

// named says what the parameters, of queries and bodies, name.
var named = map[string]string{
	"squid": "squids", "run": "runs", "task": "tasks", "account": "accounts", "accounts": "accounts",
	"crawler": "crawlers", "target_module_id": "crawlers", "key": "keys", "since": "runs",
}

// bodies are what the operations take, made of one's own things, where a body
// is required. What they refer to is right, so that a refusal is for its owner.
var bodies = map[string]func(own things) any{
	"POST /v1/runs":              func(own things) any { return map[string]any{"squid": own["squids"]} },
	"POST /v1/runs/{id}/exports": func(things) any { return map[string]any{"format": "jsonl"} },
	"POST /v1/runs/{id}/share":   func(things) any { return map[string]any{"shared": true} },
	"POST /v1/squids":            func(own things) any { return map[string]any{"crawler": own["crawlers"]} },
	"POST /v1/squids/{id}":       func(own things) any { return map[string]any{"accounts": []any{own["accounts"]}} },
	"POST /v1/squids/{id}/chain": func(own things) any {
		return map[string]any{"target_module_id": own["crawlers"], "field_map": map[string]any{"url": "url"}}
	},
	"PATCH /v1/squids/{id}/chain":  func(own things) any { return map[string]any{"target_module_id": own["crawlers"]} },
	"POST /v1/squids/{id}/cursors": func(things) any { return map[string]any{"name": "mine"} },
	"POST /v1/squid/estimate": func(own things) any {
		return map[string]any{"squid": own["squids"], "crawler": own["crawlers"], "tasks": []any{map[string]any{"url": "https://a.example/"}}}
	},
	"POST /v1/tasks": func(own things) any {
		return map[string]any{"squid": own["squids"], "tasks": []any{map[string]any{"url": "https://b.example/"}}}
	},
	"POST /v1/tasks/upload":      nil, // its own form: TestAStrangerFindsNothing sends it
	"POST /v1/crawlers":          func(things) any { return ownDefinition },
	"PUT /v1/crawlers/{id}":      func(things) any { return ownDefinition },
	"POST /v1/crawlers/{id}/try": func(things) any { return map[string]any{"task": map[string]any{"url": "https://a.example/"}} },
	"POST /v1/accounts": func(own things) any {
		return map[string]any{"account": own["accounts"], "type": "cookie-session", "params": map[string]any{}}
	},
	"POST /v1/accounts/cookies": func(own things) any {
		return map[string]any{"type": "cookie-session", "cookies": map[string]any{"sid": "y"}, "account": own["accounts"]}
	},
	"POST /v1/accounts/login": func(own things) any {
		return map[string]any{"type": "cookie-session", "username": "u", "password": "p", "account": own["accounts"]}
	},
	"POST /v1/delivery":                  func(things) any { return map[string]any{"email": "a@b.example", "notifications": true} },
	"POST /v1/delivery/test-email":       func(things) any { return map[string]any{"email": "a@b.example"} },
	"POST /v1/delivery/test-googlesheet": func(things) any { return map[string]any{"url": "https://docs.google.com/spreadsheets/d/1"} },
	"POST /v1/delivery/test-s3":          func(things) any { return map[string]any{"bucket": "results"} },
	"POST /v1/delivery/test-webhook":     func(things) any { return map[string]any{"url": "https://a.example/h"} },
	"POST /v1/delivery/test-database":    func(things) any { return map[string]any{"url": "postgres://u:p@db.example/d", "table": "t"} },
	"POST /v1/delivery/test-slack":       func(things) any { return map[string]any{"url": "https://a.example/h"} },
	"POST /v1/delivery/pause":            func(things) any { return map[string]any{"channel": "webhook"} },
	"POST /v1/delivery/resume":           func(things) any { return map[string]any{"channel": "webhook"} },
	"POST /v1/delivery/test-sftp": func(things) any {
		return map[string]any{"host": "h", "port": 22, "username": "u", "password": "p", "directory": "/"}
	},
	"POST /v1/keys": func(things) any { return map[string]any{"name": "another"} },
}

var ownDefinition = map[string]string{"definition": ownPages}

// things are the ids of what a workspace owns, by kind.
type things map[string]string

// ids returns them all.
func (own things) ids() []string { return slices.Sorted(maps.Values(own)) }

// owned makes one of everything in the workspace of w.
func (w *world) owned() things {
	w.t.Helper()
	own := things{}
	for _, p := range possessions {
		if own[p.kind] = p.make(w, own); !shoal.ValidID(own[p.kind]) {
			w.t.Fatalf("the id of the %s is %q", p.kind, own[p.kind])
		}
	}
	return own
}

// stranger returns the same server as another workspace's admin sees it.
func (w *world) stranger() *world {
	w.t.Helper()
	u, err := w.Store.AddUser(w.t.Context(), shoal.NewUser{User: shoal.User{Email: shoal.NewID[string]() + "@shoal.test"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.with(u.Secret)
}

// with returns w with another key.
func (w *world) with(key string) *world {
	env, other := *w.Env, *w
	env.Key, other.Env = key, &env
	return &other
}

// operation is one method of one path of openapi.yaml.
type operation struct {
	*openapi3.Operation
	method, path string
}

func (op operation) name() string { return op.method + " " + op.path }

func (op operation) public() bool { return op.Security != nil && len(*op.Security) == 0 }

func (op operation) staff() bool { return strings.HasPrefix(op.path, "/v1/admin/") }

// needs is the scope that a key must have.
func (op operation) needs() shoal.Scope {
	switch {
	case op.staff(), strings.HasPrefix(op.path, "/v1/keys"):
		return shoal.ScopeAdmin
	case op.method == http.MethodGet, op.path == "/v1/squid/estimate":
		return shoal.ScopeRead
	}
	return shoal.ScopeRun
}

// kind is what the path's {id} names, "" if there is none.
func (op operation) kind() string {
	before, _, found := strings.Cut(strings.TrimPrefix(op.path, "/v1/"), "/{")
	if !found {
		return ""
	}
	return before
}

// at returns the path with an id.
func (op operation) at(id string) string {
	parts := strings.Split(op.path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = id
		}
		if part == "{export}" { // the CSV that the run's end made
			parts[i] = (&shoal.Export{RunID: shoal.RunID(id), Format: shoal.FormatCSV}).ID()
		}
	}
	return strings.Join(parts, "/")
}

// body returns what op takes, or nil.
func (op operation) body(own things) any {
	if make := bodies[op.name()]; make != nil {
		return make(own)
	}
	return nil
}

// properties returns the names of the parts of op's JSON body, without objects
// and what only answers have.
func (op operation) properties() []string {
	if op.RequestBody == nil || op.RequestBody.Value.Content["application/json"] == nil {
		return nil
	}
	var names []string
	for name, p := range op.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
		if !p.Value.Type.Includes("object") && !p.Value.ReadOnly {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// unnamed returns the parts of op's JSON body that are ids of nobody knows what.
func (op operation) unnamed() []string {
	return slices.DeleteFunc(op.properties(), func(name string) bool {
		p := op.RequestBody.Value.Content["application/json"].Schema.Value.Properties[name]
		return p.Ref != "#/components/schemas/ID" || named[name] != "" || op.staff()
	})
}

// operations returns every operation, by name.
func (s *spec) operations() []operation {
	var all []operation
	for path, item := range s.doc.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, operation{op, method, path})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return cmp.Compare(a.name(), b.name()) })
	return all
}

// TestAStrangerFindsNothing puts the ids of another workspace into every place
// of every operation that takes one, beside what is the caller's own: the answer
// is 404, as if they did not exist; nothing that is answered has anything of the
// other workspace in it, and that stays as it was.
func TestAStrangerFindsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		theirs := w.owned()
		before := w.snapshot(theirs)
		s := w.stranger()
		own := s.owned()
		hidden := append(theirs.ids(), string(w.User), string(w.Workspace), "owner@shoal.test", "secret marker")
		w.post("/v1/squids/"+theirs["squids"], map[string]any{"name": "secret marker"})
		for _, op := range w.spec.operations() {
			if op.public() && op.kind() != "crawlers" {
				continue
			}
			if op.RequestBody != nil && op.RequestBody.Value.Required && !op.staff() {
				if _, known := bodies[op.name()]; !known {
					t.Errorf("%s takes a body: give the table bodies one", op.name())
					continue
				}
			}
			for _, name := range op.unnamed() {
				t.Errorf("%s has the id %s: say in the table named what it names", op.name(), name)
			}
			s.askForeign(op, own, theirs, hidden)
		}
		if a := s.upload(theirs["squids"], "tasks.csv", []byte("url\nhttps://c.example/\n"), nil); a.status != 404 {
			t.Errorf("an upload into a stranger's squid: %d %s", a.status, a.body)
		}
		w.post("/v1/squids/"+theirs["squids"], map[string]any{"name": "mine"})
		if after := w.snapshot(theirs); after != before {
			t.Errorf("what a stranger asked for is now\n%s\nand was\n%s", after, before)
		}
	})
}

// askForeign asks op with foreign ids in every place, and once with none.
func (s *world) askForeign(op operation, own, theirs things, hidden []string) {
	s.t.Helper()
	kind := op.kind()
	if kind != "" && !op.staff() {
		if own[kind] == "" {
			s.t.Errorf("%s: make one of what the path names in the table possessions", op.name())
			return
		}
		s.foreign(op, op.at(theirs[kind]), op.body(own), theirs[kind], hidden)
	}
	path := op.at(own[kind])
	for _, p := range op.Parameters {
		if of := named[p.Value.Name]; p.Value.In == "query" && of != "" && !op.staff() {
			query := path + "?" + p.Value.Name + "=" + theirs[of]
			if p.Value.Name == "task" {
				query += "&squid=" + own["squids"]
			}
			s.foreign(op, query, op.body(own), theirs[of], hidden)
		}
	}
	for _, name := range op.properties() {
		body, ok := op.body(own).(map[string]any)
		if of := named[name]; of != "" && ok && !op.staff() && op.name()+" "+name != "POST /v1/delivery/test-database key" { // a key of fields
			body[name] = theirs[of]
			if name == "accounts" {
				body[name] = []any{theirs[of]}
			}
			if name == "crawler" {
				delete(body, "squid") // which has one
			}
			s.foreign(op, path, body, theirs[of], hidden)
		}
	}
	if op.staff() {
		if a := s.do(request{method: op.method, path: op.at(string(theirs["keys"])), body: op.body(own)}); a.status != http.StatusForbidden {
			s.t.Errorf("%s by one who is not staff: %d %s", op.name(), a.status, a.body)
		}
		return
	}
	if op.method == http.MethodGet { // its lists, and what is about oneself
		s.shows(op, s.do(request{method: op.method, path: path}), "", hidden)
	}
}

// foreign sends a request that names id, which another workspace owns.
func (s *world) foreign(op operation, path string, body any, id string, hidden []string) {
	s.t.Helper()
	a := s.do(request{method: op.method, path: path, body: body})
	if a.status != http.StatusNotFound {
		s.t.Errorf("%s %s %v with what another workspace owns: %d %s, want 404", op.method, path, body, a.status, a.body)
	}
	s.shows(op, a, id, hidden)
}

// shows fails when an answer has something of another workspace in it, besides
// the id that was asked for.
func (s *world) shows(op operation, a *answer, asked string, hidden []string) {
	s.t.Helper()
	for _, text := range hidden {
		if text != asked && strings.Contains(string(a.body), text) {
			s.t.Errorf("%s shows a stranger %s: %s", op.name(), text, a.body)
		}
	}
}

// snapshot is all that its owner sees of own, without what looking changes.
func (w *world) snapshot(own things) string {
	w.t.Helper()
	var b strings.Builder
	for _, op := range w.spec.operations() {
		kind := op.kind()
		if op.method != http.MethodGet || op.public() || own[kind] == "" || strings.HasSuffix(op.path, "/events") {
			continue
		}
		a := w.get(op.at(own[kind])) // and so each id is one that its owner finds
		for _, key := range []string{"download_url", "s3", "updated_at", "last_used_at", "url"} {
			delete(a.json, key)
		}
		text, err := json.Marshal(a.json)
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\n", op.name(), text)
	}
	return b.String() + string(w.get("/v1/results?run="+own["runs"]).body) + string(w.get("/v1/tasks?squid="+own["squids"]).body)
}

// TestKeysOpenWhatTheyMay tries every operation with keys of every scope, and
// with those that must not open anything.
func TestKeysOpenWhatTheyMay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		key := func(scope shoal.Scope, expires time.Time) (shoal.KeyID, string) {
			k, secret, err := w.Store.CreateKey(t.Context(), w.Workspace, w.User, string(scope), scope, expires)
			if err != nil {
				t.Fatal(err)
			}
			return k.ID, secret
		}
		_, read := key(shoal.ScopeRead, time.Time{})
		_, run := key(shoal.ScopeRun, time.Time{})
		_, expired := key(shoal.ScopeAdmin, time.Now().Add(-time.Second))
		revokedID, revoked := key(shoal.ScopeAdmin, time.Time{})
		if err := w.Store.RevokeKey(t.Context(), shoal.KeyFilter{}, revokedID); err != nil {
			t.Fatal(err)
		}
		gone, err := w.Store.AddUser(t.Context(), shoal.NewUser{User: shoal.User{Email: "gone@shoal.test", IsStaff: true}})
		if err != nil {
			t.Fatal(err)
		}
		w.ok(200, "POST", "/v1/admin/users/gone@shoal.test", map[string]any{"is_active": false})
		for _, op := range w.spec.operations() {
			if op.public() {
				continue
			}
			ask := func(header string) *answer {
				q := request{method: op.method, path: op.at(shoal.NewID[string]()), anonymous: true, header: map[string]string{}}
				if header != "" {
					q.header["Authorization"] = header
				}
				return w.do(q)
			}
			for name, c := range map[string]struct{ header, code string }{
				"no key": {"", "NotAuthenticated"}, "a wrong key": {"Token shoal_0123456789012345678901234567890123456789", "NotAuthenticated"},
				"a revoked key": {"Token " + revoked, "NotAuthenticated"}, "an expired key": {"Token " + expired, "TokenExpired"},
				"the key of a user who is off": {"Token " + gone.Secret, "NotAuthenticated"}, "another scheme": {"Bearer " + w.Key, "NotAuthenticated"},
			} {
				if a := ask(c.header); a.status != http.StatusUnauthorized || a.code() != c.code {
					t.Errorf("%s with %s: %d %s, want 401 %s", op.name(), name, a.status, a.body, c.code)
				}
			}
			for scope, secret := range map[shoal.Scope]string{shoal.ScopeRead: read, shoal.ScopeRun: run, shoal.ScopeAdmin: w.Key} {
				a, may := ask("Token "+secret), rank[scope] >= rank[op.needs()]
				if may == (a.status == http.StatusForbidden) || a.status == http.StatusUnauthorized || a.status >= 500 {
					t.Errorf("%s with a key of scope %s: %d %s", op.name(), scope, a.status, a.body)
				}
			}
		}
	})
}

var rank = map[shoal.Scope]int{shoal.ScopeRead: 1, shoal.ScopeRun: 2, shoal.ScopeAdmin: 3}
