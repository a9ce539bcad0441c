package api_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/api"
)

// TestRefusals sends what is wrong in every way and wants a 4xx that names the
// field each time; the server goes on.
func TestRefusals(t *testing.T) {
	w := newWorld(t, "", nil)
	squid := w.squid("https://example.com/")
	sq := "/v1/squids/" + squid
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for _, c := range []struct {
		what, method, path string
		body               any
		header             map[string]string
		status             int
		code, param        string
	}{
		{"not JSON", "POST", "/v1/squids", `{"crawler"`, nil, 400, "InvalidParam", "body"},
		{"an array", "POST", "/v1/squids", `[]`, nil, 400, "InvalidParamType", "body"},
		{"trailing bytes", "POST", "/v1/squids", `{} x`, nil, 400, "InvalidParam", "body"},
		{"a key twice", "POST", "/v1/squids", `{"crawler":"website","crawler":"sitemap"}`, nil, 400, "InvalidParam", "crawler"},
		{"NaN", "POST", "/v1/squids", `{"crawler":NaN}`, nil, 400, "InvalidParam", "body"},
		{"a huge number", "POST", "/v1/squids", `{"crawler":1e999}`, nil, 400, "InvalidParameterValue", "body"},
		{"a leading zero", "POST", "/v1/squids", `{"crawler":01}`, nil, 400, "InvalidParam", "body"},
		{"deep nesting", "POST", "/v1/squids", `{"crawler":` + deep + `}`, nil, 400, "InvalidParam", "body"},
		{"not UTF-8", "POST", "/v1/squids", "{\"crawler\":\"\xff\"}", nil, 400, "BadEncoding", "body"},
		{"half a surrogate pair", "POST", "/v1/squids", `{"crawler":"\ud800x"}`, nil, 400, "BadEncoding", "body"},
		{"a NUL", "POST", "/v1/squids", `{"crawler":"a\u0000b"}`, nil, 400, "InvalidParameterValue", "body"},
		{"nothing", "POST", "/v1/squids", ``, nil, 400, "ParamsNeeded", "crawler"},
		{"a wrong type", "POST", "/v1/squids", `{"crawler":5}`, nil, 400, "InvalidParamType", "crawler"},
		{"a form", "POST", "/v1/squids", `crawler=website`, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 400, "InvalidParam", "Content-Type"},
		{"a form that mentions JSON", "POST", "/v1/squids", `x={"crawler":"website"}`, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 400, "InvalidParam", "Content-Type"},
		{"broken JSON called a form", "POST", "/v1/squids", `{"crawler"`, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 400, "InvalidParam", "body"},
		{"JSON called text", "POST", "/v1/squids", `{"crawler":"website"}`, map[string]string{"Content-Type": "text/plain"}, 400, "InvalidParam", "Content-Type"},
		{"another charset", "POST", "/v1/squids", `{}`, map[string]string{"Content-Type": "application/json; charset=utf-16"}, 400, "BadEncoding", "Content-Type"},
		{"gzip", "POST", "/v1/squids", `{}`, map[string]string{"Content-Encoding": "gzip"}, 400, "BadEncoding", "Content-Encoding"},
		{"too large", "POST", "/v1/squids", `{"crawler":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "FileSizeLimitExceeded", "body"},
		{"no such crawler", "POST", "/v1/squids", `{"crawler":"nope"}`, nil, 404, "ModuleNotFound", "crawler"},
		{"a long name", "POST", "/v1/squids", `{"crawler":"website","name":"` + strings.Repeat("é", 201) + `"}`, nil, 400, "InvalidParameterValue", "name"},
		{"an empty name", "POST", sq, `{"name":" "}`, nil, 400, "InvalidParameterValue", "name"},
		{"no concurrency", "POST", sq, `{"concurrency":0}`, nil, 400, "InvalidParameterValue", "concurrency"},
		{"half a slot", "POST", sq, `{"concurrency":1.5}`, nil, 400, "InvalidParameterValue", "concurrency"},
		{"too much concurrency", "POST", sq, `{"concurrency":100000}`, nil, 400, "ConcurrencyLimitExceeded", "concurrency"},
		{"a wrong notify", "POST", sq, `{"run_notify":"always"}`, nil, 400, "InvalidParameterValue", "run_notify"},
		{"no such policy", "POST", sq, `{"missed_launches":"never"}`, nil, 400, "InvalidParameterValue", "missed_launches"},
		{"too much jitter", "POST", sq, `{"launch_jitter":3601}`, nil, 400, "InvalidParameterValue", "launch_jitter"},
		{"no such zone", "POST", sq, `{"timezone":"Local"}`, nil, 400, "InvalidParameterValue", "timezone"},
		{"a wrong cron", "POST", sq, `{"cron_expression":"61 * * * *"}`, nil, 400, "InvalidParameterValue", "cron_expression"},
		{"a wrong zone", "POST", sq, `{"timezone":"Mars/Olympus"}`, nil, 400, "InvalidParameterValue", "timezone"},
		{"an unknown param", "POST", sq, `{"params":{"nope":1}}`, nil, 400, "ParamsInvalid", "nope"},
		{"a param's type", "POST", sq, `{"params":{"max_pages":"many"}}`, nil, 400, "InvalidParamType", "max_pages"},
		{"an unknown function", "POST", sq, `{"params":{"functions":{"nope":true}}}`, nil, 400, "ParamsInvalid", "nope"},
		{"functions no object", "POST", sq, `{"params":{"functions":[]}}`, nil, 400, "InvalidParamType", "params.functions"},
		{"accounts of none", "POST", sq, `{"accounts":["` + squid + `"]}`, nil, 404, "AccountDoesNotExist", "account"},
		{"a wrong type to empty", "POST", sq + "/empty", `{"type":"all"}`, nil, 400, "InvalidParameterValue", "type"},
		{"no tasks", "POST", "/v1/tasks", `{"squid":"` + squid + `","tasks":[]}`, nil, 400, "ParamsNeeded", "tasks"},
		{"a task that is none", "POST", "/v1/tasks", `{"squid":"` + squid + `","tasks":[{"url":"https://a.example"},7]}`, nil, 400, "InvalidParamType", "tasks[1]"},
		{"a task's key", "POST", "/v1/tasks", `{"squid":"` + squid + `","tasks":[{"url":"https://a.example"},{"urll":"x"}]}`, nil, 400, "ParamsInvalid", "tasks[1].urll"},
		{"a task without its key", "POST", "/v1/tasks", `{"squid":"` + squid + `","tasks":[{}]}`, nil, 400, "ParamsNeeded", "tasks[0].url"},
		{"tasks of no squid", "GET", "/v1/tasks", nil, nil, 400, "ParamsNeeded", "squid"},
		{"a short id", "GET", "/v1/tasks?squid=abc", nil, nil, 404, "SquidDoesNotExistException", "squid"},
		{"page 0", "GET", "/v1/squids?page=0", nil, nil, 400, "InvalidParameterValue", "page"},
		{"a page that is no number", "GET", "/v1/squids?page=one", nil, nil, 400, "InvalidParameterValue", "page"},
		{"limit 101", "GET", "/v1/squids?limit=101", nil, nil, 400, "InvalidParameterValue", "limit"},
		{"page_size -1", "GET", "/v1/squids?page_size=-1", nil, nil, 400, "InvalidParameterValue", "page_size"},
		{"a query that is not UTF-8", "GET", "/v1/squids?name=%ff", nil, nil, 400, "BadEncoding", "name"},
		{"a query that is broken", "GET", "/v1/squids?name=%zz", nil, nil, 400, "InvalidParam", "query"},
		{"results of nothing", "GET", "/v1/results", nil, nil, 400, "ParamsNeeded", "squid,run"},
		{"results of both", "GET", "/v1/results?squid=" + squid + "&run=" + squid, nil, nil, 400, "MultipleParamsNeeded", "squid,run"},
		{"an unknown field", "GET", "/v1/results?squid=" + squid + "&fields=nope", nil, nil, 400, "InvalidParameterValue", "fields"},
		{"unique maybe", "GET", "/v1/results?squid=" + squid + "&unique=maybe", nil, nil, 400, "InvalidParamType", "unique"},
		{"another's run", "GET", "/v1/runs/" + strings.Repeat("0", 32), nil, nil, 404, "RunDoesNotExist", "run_hash"},
		{"a run to start of nothing", "POST", "/v1/runs", `{}`, nil, 400, "ParamsNeeded", "squid"},
		{"a wait without end", "GET", "/v1/runs/" + strings.Repeat("0", 32) + "?wait=9", nil, nil, 404, "RunDoesNotExist", "run_hash"},
		{"an upload that is none", "POST", "/v1/tasks/upload", `{}`, nil, 400, "InvalidParam", "Content-Type"},
		{"cookies without a type", "POST", "/v1/accounts/cookies", `{"cookies":{"a":"b"}}`, nil, 400, "ParamsNeeded", "type"},
		{"a type that is none", "POST", "/v1/accounts/cookies", `{"type":"nope","cookies":{"a":"b"}}`, nil, 404, "AccountTypeDoesNotExist", "type"},
		{"a cookie that is a list", "POST", "/v1/accounts/cookies", `{"type":"cookie-session","cookies":{"a":[]}}`, nil, 400, "InvalidParamType", "cookies.a"},
		{"a delivery of nothing", "POST", "/v1/delivery?squid=" + squid, `{}`, nil, 400, "ParamsNeeded", "body"},
		{"a delivery of no squid", "POST", "/v1/delivery", `{"email":"a@b.c"}`, nil, 400, "ParamsNeeded", "squid"},
		{"no address", "POST", "/v1/delivery?squid=" + squid, `{"email":"nobody"}`, nil, 400, "InvalidParameterValue", "email"},
		{"a webhook to a file", "POST", "/v1/delivery?squid=" + squid, `{"webhook_fields":{"url":"file:///etc/passwd"}}`, nil, 400, "InvalidParameterValue", "webhook_fields.url"},
		{"a port", "POST", "/v1/delivery?squid=" + squid, `{"ftp_fields":{"host":"h","username":"u","password":"p","port":70000}}`, nil, 400, "InvalidParameterValue", "ftp_fields.port"},
		{"an event that is no boolean", "POST", "/v1/delivery?squid=" + squid, `{"webhook_fields":{"url":"https://a.example","events":{"run.done":"yes"}}}`, nil, 400, "InvalidParamType", "webhook_fields.events.run.done"},
		{"a chain to nothing", "POST", sq + "/chain", `{"target_module_id":"sitemap"}`, nil, 400, "ParamsNeeded", "field_map"},
		{"an idempotency key of spaces", "POST", "/v1/squids", `{}`, map[string]string{"Idempotency-Key": strings.Repeat("x", 256)}, 400, "InvalidParam", "Idempotency-Key"},
		{"nowhere", "GET", "/v1/nowhere", nil, nil, 404, "NotFound", "path"},
		{"a wrong method", "PUT", "/v1/squids", `{}`, nil, 405, "MethodNotAllowed", ""},
	} {
		a := w.do(request{method: c.method, path: c.path, body: c.body, header: c.header})
		if a.status != c.status || a.code() != c.code || a.param() != c.param {
			t.Errorf("%s: %d %s at %q, want %d %s at %q: %s", c.what, a.status, a.code(), a.param(), c.status, c.code, c.param, a.body)
		}
	}
	if a := w.do(request{method: "PUT", path: "/v1/squids"}); a.header.Get("Allow") != "POST, GET, HEAD" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	w.get("/v1/me")
}

func TestKeys(t *testing.T) {
	w := newWorld(t, "", nil)
	for name, value := range map[string]string{
		"none": "", "another": "Token nope", "no scheme": w.Key, "bearer": "Bearer " + w.Key, "empty": "Token ",
	} {
		a := w.do(request{method: "GET", path: "/v1/me", anonymous: true, header: map[string]string{"Authorization": value}})
		if a.status != 401 || a.code() != "NotAuthenticated" || a.header.Get("Www-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	past := time.Now().Add(-time.Minute)
	_, expired, err := w.Store.CreateKey(t.Context(), w.Workspace, w.User, "old", shoal.ScopeAdmin, past)
	if err != nil {
		t.Fatal(err)
	}
	_, reader, err := w.Store.CreateKey(t.Context(), w.Workspace, w.User, "reader", shoal.ScopeRead, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	with := func(method, key string) *answer {
		return w.do(request{method: method, path: "/v1/squids", body: `{"crawler":"website"}`, header: map[string]string{"Authorization": "token " + key}})
	}
	if a := with("GET", expired); a.status != 401 || a.code() != "TokenExpired" {
		t.Errorf("an expired key: %d %s", a.status, a.body)
	}
	if a := with("GET", reader); a.status != 200 {
		t.Errorf("a reader reads: %d", a.status)
	}
	if a := with("POST", reader); a.status != 403 {
		t.Errorf("a reader writes: %d", a.status)
	}
}

func TestPathsAreServedInPlace(t *testing.T) {
	w := newWorld(t, "", nil)
	for _, path := range []string{"/v1/me/", "/v1//me", "//v1/me", "/v1/./me", "/v1/x/../me", "/v1/me//"} {
		// The client cleans nothing; what it sends is what is written here.
		host := strings.TrimPrefix(w.url, "http://")
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Token %s\r\nConnection: close\r\n\r\n", path, w.Key)
		head := make([]byte, 64)
		n, _ := conn.Read(head)
		conn.Close()
		if !strings.HasPrefix(string(head[:n]), "HTTP/1.1 200 ") {
			t.Errorf("%s: %q", path, head[:n])
		}
	}
	if a := w.do(request{method: "HEAD", path: "/v1/me"}); a.status != 200 || len(a.body) != 0 {
		t.Errorf("HEAD: %d", a.status)
	}
}

func TestLinksNameTheHostThatWasAsked(t *testing.T) {
	forwarded := map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shoal.example, inner"}
	for name, c := range map[string]struct {
		set  func(*api.Options)
		want string
	}{
		"no proxy is trusted": {nil, "http://127.0.0.1:"},
		"a trusted proxy":     {func(o *api.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }, "https://shoal.example/v1/crawlers?"},
		"a public URL":        {func(o *api.Options) { o.PublicURL = "https://public.example/" }, "https://public.example/v1/crawlers?"},
	} {
		w := newWorld(t, "", c.set)
		a := w.do(request{method: "GET", path: "/v1/crawlers?limit=1", header: forwarded})
		if !strings.HasPrefix(a.str("next"), c.want) {
			t.Errorf("%s: next is %s, want %s…", name, a.str("next"), c.want)
		}
	}
}

func TestRateLimits(t *testing.T) {
	w := newWorld(t, "", func(o *api.Options) { o.Limits = api.Limits{Squids: 3, Tasks: 1} })
	for i, left := range []string{"2", "1", "0"} {
		a := w.get("/v1/squids")
		if a.header.Get("X-Ratelimit-Limit") != "3" || a.header.Get("X-Ratelimit-Remaining") != left {
			t.Errorf("request %d: %s of %s left", i, a.header.Get("X-Ratelimit-Remaining"), a.header.Get("X-Ratelimit-Limit"))
		}
	}
	a := w.ok(http.StatusTooManyRequests, "GET", "/v1/squids", nil)
	if a.code() != "RateLimitExceeded" || a.header.Get("Retry-After") != "20" {
		t.Errorf("over the limit: %s, Retry-After %s", a.body, a.header.Get("Retry-After"))
	}
	w.get("/v1/runs")
	if a := w.get("/v1/me"); a.header.Get("X-Ratelimit-Limit") != "1000000000000" {
		t.Errorf("without a limit: %s", a.header.Get("X-Ratelimit-Limit"))
	}
	_, other, err := w.Store.CreateKey(t.Context(), w.Workspace, w.User, "other", shoal.ScopeRead, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if a := w.do(request{method: "GET", path: "/v1/squids", header: map[string]string{"Authorization": "Token " + other}}); a.status != 200 {
		t.Errorf("another key: %d", a.status)
	}
}
