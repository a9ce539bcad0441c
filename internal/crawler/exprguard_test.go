package crawler

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// Expressions of strangers make no more text than is allowed, and end soon.
func TestExpressionBombs(t *testing.T) {
	a, b := strings.Repeat("a", 500), strings.Repeat("b", 500)
	env := &Env{Body: strings.Repeat("a", 1<<20), Params: map[string]any{"re": "(a?){1000}b"}}
	for _, c := range []struct{ source, says string }{
		{`len(replace(replace("` + a + `", "a", "` + b + `"), "b", "` + b + `"))`, "MB of text"},
		{`len(body | replace("a", "` + b + `"))`, "MB of text"},
		{`len(replace(body, "", "` + b + `"))`, "MB of text"},
		{`len(` + strings.Repeat("body+", 150) + `body)`, "MB of text"},
		{`len(join(map(1..10000, body[0:100000]), "x"))`, "MB of text"},
		{`len(join([body, body], body) + body) + len(join(map(1..200, body)))`, "MB of text"},
		{`len(toJSON(map(1..10000, body[0:100000])))`, "MB of text"},
		{`len(map(1..10000, upper(body)))`, "MB of text"},
		{`len(map(1..10000, body + "x"))`, "MB of text"},
		{`len(map(1..10000, raw(body)))`, "MB of text"},
		{`len(map(1..10000, split(body, "")))`, "MB of text"},
		{`count(1..10000, body contains "ab")`, "too much text"},
		{`count(1..10000, indexOf(body, "ab") > 0)`, "too much text"},
		{`body matches "(a?){1000}b"`, "too much text"},
		{`body matches params.re`, "at most 500 steps"},
		{`body matches ("(a?)" + "{1000}b")`, "at most 500 steps"},
		{`uniq(split(body, ""))`, "too much text"},
		{`let l = split(body, ""); count(l, # in l)`, "too much text"},
		{doubled(40), "MB of text"},
	} {
		e, err := compileExpr(c.source, "", nil)
		if err == nil {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			_, err = e.Eval(env)
			runtime.ReadMemStats(&after)
			if d, mb := time.Since(begin), (after.TotalAlloc-before.TotalAlloc)>>20; d > time.Minute || mb > 300 {
				t.Errorf("%.80s: %v, %d MB", c.source, d, mb)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.80s: %v, want %q", c.source, err, c.says)
		}
	}
}

// doubled is an expression whose value is small in memory and has 2^n parts.
func doubled(n int) string {
	var b strings.Builder
	b.WriteString(`let x0 = ["x"]; `)
	for i := range n {
		b.WriteString("let x" + str(int64(i+1)) + " = [x" + str(int64(i)) + ", x" + str(int64(i)) + "]; ")
	}
	return b.String() + "x" + str(int64(n))
}

// What is counted gives what it gave.
func TestGuardedExpressions(t *testing.T) {
	env := &Env{URL: "https://example.com/a", Body: "Hello", Depth: 2, Params: map[string]any{"n": int64(3), "s": "x", "re": "^H"}}
	for source, want := range map[string]any{
		`url + "/b"`: "https://example.com/a/b", `depth + 1`: 3, `params.n + 1`: 4, `params.s + "y"`: "xy",
		`replace(body, "l", "L")`: "HeLLo", `replace(body, "l", "L", 1)`: "HeLlo", `body | upper()`: "HELLO",
		`join(split("a,b", ","), "-")`: "a-b", `join(["a", "b"])`: "ab", `len(body + body)`: 10, `body matches "^H"`: true,
		`body matches params.re`: true, `url matches "^https" and body contains "ell"`: true, `any(["a", "b"], # == "b")`: true,
		`filter(["a", "b"], # in ["b"])[0]`: "b", `upper(params.s) + lower("Y")`: "Xy", `toJSON([1])`: "[\n  1\n]",
		`sum(map([1, 2], # + 1))`: 5, `string(7) + "x"`: "7x", `uniq([1, 1])[0]`: 1,
	} {
		e, err := compileExpr(source, "", nil)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := e.Eval(env); err != nil || str(got) != str(want) {
			t.Errorf("%s = %v, %v, want %v", source, got, err, want)
		}
	}
	for _, source := range []string{`body + "x" == "Hellox"`, `body matches "^" + "H"`, `replace(body, "l", "") == "Heo"`} {
		e, err := compileExpr(source, "bool", nil)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if ok, err := e.True(env); err != nil || !ok {
			t.Errorf("%s: %v, %v", source, ok, err)
		}
	}
}

// Regular expressions have a size, however short they are written.
func TestRegexpBombs(t *testing.T) {
	for source, small := range map[string]bool{
		`(` + strings.Repeat("[a-z]", 400) + `){1000}`: false,
		`((a{100}){10}b{1000}c{999}){9}`:               false,
		`\w{1,1000}@\w{1,1000}`:                        true,
		`(?i)^(price|prix|preis)\s*:?\s*(\d+[.,]\d+)$`: true,
	} {
		if _, err := CompileRegexp(source); (err == nil) != small {
			t.Errorf("%.60s: %v", source, err)
		}
	}
}
