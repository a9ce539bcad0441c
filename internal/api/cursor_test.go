package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// collected makes a squid with a run of n pages that has ended.
func (w *world) collected(n int) (squid string) {
	w.t.Helper()
	url := site(w.t, n, nil)
	squid = w.post("/v1/squids", map[string]any{"crawler": "website", "params": map[string]any{"max_depth": 0}}).str("id")
	var tasks []string
	for i := range n {
		tasks = append(tasks, fmt.Sprintf("%s/%d", url, i))
	}
	w.addTasks(squid, tasks...)
	w.ended(w.post("/v1/runs", map[string]any{"squid": squid}).str("id"))
	return squid
}

func (w *world) cursor(a *answer) map[string]any {
	w.t.Helper()
	c, ok := a.json["cursor"].(map[string]any)
	if !ok {
		w.t.Fatalf("the answer has no cursor: %s", a.body)
	}
	return c
}

func rowIDs(a *answer) (ids []string) {
	for _, row := range a.data() {
		ids = append(ids, row.(map[string]any)["id"].(string))
	}
	return ids
}

// A consumer follows next until it is null and has every result once; one that
// asks again without the token gets what it has not acknowledged again.
func TestCursorOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid := w.collected(9)
		path := "/v1/results?squid=" + squid + "&cursor=load&limit=4&fields=id,url"
		first := w.get(path)
		if again := w.get(path); string(again.body) != string(first.body) {
			t.Errorf("asked again without a token:\n%s\nfirst\n%s", again.body, first.body)
		}
		seen := map[string]bool{}
		a, calls := first, 0
		for ; ; calls++ {
			for _, id := range rowIDs(a) {
				if seen[id] {
					t.Errorf("%s came twice", id)
				}
				seen[id] = true
			}
			if left := w.cursor(a)["left"].(float64); int(left) != 9-len(seen) {
				t.Errorf("left is %v after %d of 9", left, len(seen))
			}
			next, ok := a.json["next"].(string)
			if !ok {
				break
			}
			a = w.get(strings.TrimPrefix(next, w.url))
		}
		if len(seen) != 9 || calls != 3 || len(a.data()) != 0 {
			t.Errorf("%d results in %d calls, the last with %d", len(seen), calls, len(a.data()))
		}
		if a := w.get(path); len(a.data()) != 0 || a.json["total_results"] != 0.0 {
			t.Errorf("all is acknowledged, and yet: %s", a.body)
		}
		list := w.get("/v1/squids/" + squid + "/cursors").data()
		c := list[0].(map[string]any)
		if len(list) != 1 || c["name"] != "load" || c["left"] != 0.0 || c["taken"] != 9.0 || c["acked_at"] == nil {
			t.Errorf("the list of cursors: %v", list)
		}
		set := w.post("/v1/squids/"+squid+"/cursors", map[string]any{"name": "load"})
		if set.json["left"] != 9.0 {
			t.Errorf("rewound: %s", set.body)
		}
		if a := w.do(request{method: "GET", path: path + "&ack=" + w.cursor(first)["ack"].(string)}); a.status != 400 || a.param() != "ack" {
			t.Errorf("a token from before: %d %s", a.status, a.body)
		}
		w.ok(200, "DELETE", "/v1/squids/"+squid+"/cursors/load", nil)
		if a := w.do(request{method: "GET", path: path + "&ack=" + w.cursor(first)["ack"].(string)}); a.status != 404 {
			t.Errorf("a token of a deleted cursor: %d %s", a.status, a.body)
		}
	})
}

// A stream to a cursor has all there is, and says in its header what to acknowledge.
func TestCursorStreams(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid := w.collected(7)
		stream := func(accept, more string) *answer {
			a := w.do(request{method: "GET", path: "/v1/results?squid=" + squid + "&cursor=s" + more, header: map[string]string{"Accept": accept}})
			if a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
			return a
		}
		a := stream("application/x-ndjson", "&limit=5")
		if n := strings.Count(string(a.body), "\n"); n != 5 || a.header.Get("X-Shoal-Left") != "2" || a.header.Get("X-Shoal-Count") != "5" || a.header.Get("X-Shoal-Removed") != "0" {
			t.Errorf("%d lines, header %v", n, a.header)
		}
		token := a.header.Get("X-Shoal-Ack")
		if again := stream("application/x-ndjson", "&limit=5"); string(again.body) != string(a.body) || again.header.Get("X-Shoal-Ack") != token {
			t.Errorf("asked again: %s", again.body)
		}
		rest := stream("text/csv", "&fields=url&ack="+token)
		if n := strings.Count(string(rest.body), "\n"); n != 3 || rest.header.Get("X-Shoal-Left") != "0" {
			t.Errorf("the rest as CSV, %d lines: %s", n, rest.body)
		}
		end := stream("application/x-ndjson", "&ack="+rest.header.Get("X-Shoal-Ack"))
		if len(end.body) != 0 || end.header.Get("X-Shoal-Count") != "0" {
			t.Errorf("the end: %s %v", end.body, end.header)
		}
	})
}

// A consumer that waits is answered with the first new result, long before its
// seconds are over.
func TestCursorWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid := w.collected(1)
		path := "/v1/results?squid=" + squid + "&cursor=w&wait=60"
		token := w.cursor(w.get(path))["ack"].(string)
		began := time.Now()
		got := make(chan *answer, 1)
		go func() { got <- w.do(request{method: "GET", path: path + "&ack=" + token}) }()
		w.ended(w.post("/v1/runs", map[string]any{"squid": squid}).str("id"))
		a := <-got
		if len(a.data()) != 1 || time.Since(began) > 50*time.Second {
			t.Errorf("after %v: %d %s", time.Since(began), a.status, a.body)
		}
	})
}

func TestCursorRefusesWhatItCannotDo(t *testing.T) {
	w := newWorld(t, "", nil)
	squid := w.collected(1)
	run := w.get("/v1/runs?squid=" + squid).data()[0].(map[string]any)["id"].(string)
	for query, param := range map[string]string{
		"squid=" + squid + "&ack=x":                   "cursor",
		"squid=" + squid + "&cursor=":                 "cursor",
		"squid=" + squid + "&cursor=a%20b":            "cursor",
		"squid=" + squid + "&cursor=a&ack=x":          "ack",
		"squid=" + squid + "&cursor=a&page=2":         "page",
		"squid=" + squid + "&cursor=a&unique=true":    "unique",
		"squid=" + squid + "&cursor=a&limit=1001":     "limit",
		"squid=" + squid + "&cursor=a&wait=61":        "wait",
		"squid=" + squid + "&cursor=a&fields=nothing": "fields",
		"run=" + run + "&cursor=a":                    "run",
		"cursor=a":                                    "squid",
	} {
		if a := w.do(request{method: "GET", path: "/v1/results?" + query}); a.status != 400 || a.param() != param {
			t.Errorf("%s: %d %s, want 400 for %s", query, a.status, a.body, param)
		}
	}
	for body, param := range map[string]string{`{}`: "name", `{"name":"a b"}`: "name", `{"name":"a","to":"x"}`: "to", `{"name":1}`: "name"} {
		if a := w.do(request{method: "POST", path: "/v1/squids/" + squid + "/cursors", body: body}); a.status != 400 || a.param() != param {
			t.Errorf("%s: %d %s, want 400 for %s", body, a.status, a.body, param)
		}
	}
	if a := w.do(request{method: "POST", path: "/v1/squids/" + squid + "/cursors", body: map[string]any{"name": "a", "to": squid}}); a.status != 404 {
		t.Errorf("to a run that is none: %d %s", a.status, a.body)
	}
	if list := w.get("/v1/squids/" + squid + "/cursors").data(); len(list) != 0 {
		t.Errorf("refused calls have made cursors: %v", list)
	}
}

// walkCursors takes a run's results by a cursor, and looks what is new in them.
func (w *world) walkCursors(squid, run string) {
	w.t.Helper()
	taken := w.get("/v1/results?squid=" + squid + "&cursor=walk&limit=1000")
	if w.cursor(taken)["left"] != 0.0 || len(taken.data()) == 0 {
		w.t.Errorf("all results by a cursor: %s", taken.body)
	}
	set := w.post("/v1/squids/"+squid+"/cursors", map[string]any{"name": "walk", "to": run})
	if list := w.get("/v1/squids/" + squid + "/cursors").data(); len(list) != 1 || set.str("name") != "walk" {
		w.t.Errorf("cursors: %v", list)
	}
	w.ok(200, "DELETE", "/v1/squids/"+squid+"/cursors/walk", nil)
	w.ok(404, "DELETE", "/v1/squids/"+squid+"/cursors/walk", nil)
	a := w.get("/v1/runs/" + run + "/changes?limit=1")
	if a.json["since"] != nil || a.json["total_results"] != taken.json["total_results"] {
		w.t.Errorf("changes of the first run: %s", a.body)
	}
}
