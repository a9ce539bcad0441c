package api_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal/internal/api"
)

func TestIdempotencyKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		squid := w.squid()
		key := func(path, key string, body any) *answer {
			t.Helper()
			return w.do(request{method: "POST", path: path, body: body, header: map[string]string{"Idempotency-Key": key}})
		}
		twice := func(path string, body any, status int) *answer {
			t.Helper()
			first, second := key(path, "k "+path, body), key(path, "k "+path, body)
			if first.status != status || second.status != status || string(first.body) != string(second.body) || second.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("%s: %d %s, then %d %s", path, first.status, first.body, second.status, second.body)
			}
			return first
		}
		made := twice("/v1/squids", map[string]any{"crawler": "website"}, 200)
		if n := w.get("/v1/squids").json["total_results"]; n != 2.0 {
			t.Errorf("%v squids, want 2", n)
		}
		if a := key("/v1/squids", "k /v1/squids", map[string]any{"crawler": "sitemap"}); a.status != 409 || a.param() != "Idempotency-Key" {
			t.Errorf("another body: %d %s", a.status, a.body)
		}
		twice("/v1/tasks", map[string]any{"squid": squid, "tasks": []any{map[string]any{"url": site(t, 1, nil) + "/0"}}}, 200)
		twice("/v1/squids/"+squid, map[string]any{"name": "Named"}, 200)
		twice("/v1/delivery?squid="+squid, map[string]any{"slack_fields": map[string]any{"url": "https://a.example"}}, 201)
		twice("/v1/squids/"+squid+"/chain", map[string]any{"target_module_id": "sitemap", "field_map": map[string]any{"url": "url"}}, 201)
		run := twice("/v1/runs", map[string]any{"squid": squid}, 200)
		w.ended(run.str("id"))
		if n := w.get("/v1/runs").json["total_results"]; n != 1.0 {
			t.Errorf("%v runs, want 1", n)
		}
		twice("/v1/squids/"+made.str("id")+"/empty", map[string]any{}, 200)
		// An error has no effect and is not kept: the same key may be used once it is mended.
		bad := key("/v1/runs", "mend", map[string]any{"squid": made.str("id")})
		w.addTasks(made.str("id"), site(t, 1, nil)+"/0")
		if good := key("/v1/runs", "mend", map[string]any{"squid": made.str("id")}); bad.status != 400 || good.status != 200 {
			t.Errorf("before the mend %d, after it %d %s", bad.status, good.status, good.body)
		} else {
			w.ended(good.str("id"))
		}
	})
}

// TestTwinsHaveOneEffect sends the same request many times at once.
func TestTwinsHaveOneEffect(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bodies := make([]string, 8)
		var wg sync.WaitGroup
		for i := range bodies {
			wg.Go(func() {
				a := w.do(request{method: "POST", path: "/v1/squids", body: map[string]any{"crawler": "website"}, header: map[string]string{"Idempotency-Key": "twin"}})
				bodies[i] = string(a.body)
			})
		}
		wg.Wait()
		for _, b := range bodies {
			if b != bodies[0] {
				t.Errorf("two answers: %s and %s", bodies[0], b)
			}
		}
		if n := w.get("/v1/squids").json["total_results"]; n != 1.0 {
			t.Errorf("%v squids, want 1", n)
		}
	})
}

// TestEventsAndLongPoll follows a run that is held, paused and let go.
func TestEventsAndLongPoll(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		open := make(chan struct{})
		var once sync.Once
		release := func() { once.Do(func() { close(open) }) }
		defer release()
		url := site(t, 30, func(r *http.Request) {
			select {
			case <-open:
			case <-r.Context().Done():
			}
		})
		run := w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/0")}).str("id")
		events := w.follow(t.Context(), run, "")
		if e := <-events; e.name != "status" || !strings.Contains(e.data, `"running"`) && !strings.Contains(e.data, `"pending"`) {
			t.Fatalf("the first event is %+v", e)
		}
		polled := make(chan *answer)
		go func() { polled <- w.do(request{method: "GET", path: "/v1/runs/" + run + "?wait=60"}) }()
		w.post("/v1/runs/"+run+"/pause", nil)
		if a := <-polled; a.str("status") != "paused" {
			t.Errorf("the long poll gives %s", a.body)
		}
		await(t, events, "status", `"paused"`)
		w.post("/v1/runs/"+run+"/resume", nil)
		last := await(t, events, "status", `"running"`)
		release()
		await(t, events, "log", url)
		await(t, events, "progress", `"100%"`)
		if e, more := <-events; more {
			t.Errorf("after the end there is %+v", e)
		}
		again := w.follow(t.Context(), run, last)
		if e := <-again; e.name == "status" && e.id == last {
			t.Errorf("the last event comes twice: %+v", e)
		}
		for range again {
		}
	})
}

type event struct{ id, name, data string }

// follow reads a run's event stream.
func (w *world) follow(ctx context.Context, run, lastID string) <-chan event {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", w.url+"/v1/runs/"+run+"/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Token "+w.Key)
	r.Header.Set("Last-Event-ID", lastID)
	resp, err := client.Do(r)
	if err != nil || resp.StatusCode != 200 {
		w.t.Fatalf("events: %v %v", resp, err)
	}
	out := make(chan event)
	go func() {
		defer close(out)
		defer resp.Body.Close()
		var e event
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				if e.name == "" {
					continue
				}
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
				e = event{}
			}
		}
	}()
	return out
}

// await reads events until one has the name and the text; it returns its id.
func await(t *testing.T, events <-chan event, name, text string) string {
	t.Helper()
	for e := range events {
		if e.name == name && strings.Contains(e.data, text) {
			return e.id
		}
	}
	t.Fatalf("the stream ended before %s with %s", name, text)
	return ""
}

func TestStoppingEndsStreams(t *testing.T) {
	stopping := make(chan struct{})
	w := newWorld(t, "", func(o *api.Options) { o.Stopping = stopping })
	url := site(t, 2, func(r *http.Request) { <-r.Context().Done() })
	run := w.post("/v1/runs", map[string]any{"squid": w.squid(url + "/0")}).str("id")
	events := w.follow(t.Context(), run, "")
	<-events
	polled := make(chan time.Duration)
	go func() {
		began := time.Now()
		w.do(request{method: "GET", path: "/v1/runs/" + run + "?wait=60"})
		polled <- time.Since(began)
	}()
	close(stopping)
	for range events {
	}
	if d := <-polled; d > 10*time.Second {
		t.Errorf("the long poll lasted %v", d)
	}
	for _, path := range []string{"/readyz", "/v1/runs/" + run + "/events"} {
		if a := w.ok(503, "GET", path, nil); a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	w.post("/v1/runs/"+run+"/abort", nil)
	w.ended(run)
}
