package crawler

import (
	"reflect"
	"strings"
	"testing"
)

const withTests = `slug: a-b
name: A
input: [{name: url, level: task, type: string}]
start: {url: "{{ task.url }}", page: p}
pages:
  p:
    rows:
      each: li
      key: t
      fields:
        t: {select: b}
        n: {select: i, as: int}
        l: {select: em, list: true}
tests:
  - task: {url: https://a.example/}  # kept
    params: {max_results: 3}
    replay: testdata/a.har
    rows:
      min: 2
      max: 3
      first: {t: 'é old', n: 1, l: [x]}
      all:
        - {t: 'é old', n: 1}
        - t: plain text   # kept too
          n: null
`

func TestTestsOfADefinition(t *testing.T) {
	p, err := Compile("a.yaml", []byte(withTests))
	if err != nil {
		t.Fatal(err)
	}
	want := []Test{{Line: 15, Task: map[string]any{"url": "https://a.example/"}, Params: map[string]any{"max_results": int64(3)}, Replay: "testdata/a.har",
		Min: 2, Max: 3, First: map[string]any{"t": "é old", "n": int64(1), "l": []any{"x"}},
		All: []map[string]any{{"t": "é old", "n": int64(1)}, {"t": "plain text", "n": nil}}}}
	if !reflect.DeepEqual(p.Tests, want) {
		t.Errorf("%+v\nwant %+v", p.Tests, want)
	}
	for old, c := range map[string]struct{ now, says string }{
		"    replay: testdata/a.har\n": {"", "a.yaml:15:5: the test has no replay"},
		"testdata/a.har":               {"../../etc/passwd", "17:13: replay is"},
		"min: 2":                       {"min: 5", "min is 5 and max 3"},
		"first: {t:":                   {"first: {tt:", `unknown field "tt" in a-b; did you mean "t"`},
		"rows:\n      min":             {"rows:\n      mim", `unknown key "mim"`},
	} {
		_, err := Compile("a.yaml", []byte(strings.Replace(withTests, old, c.now, 1)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.now, err)
		}
	}
}

func TestUpdateTests(t *testing.T) {
	out, left, err := UpdateTests("a.yaml", []byte(withTests), []Change{
		{15, 0, "min", "7"}, {15, 1, "t", `"new, \"é\""`}, {15, 2, "t", `"b"`}, {15, 2, "n", "8"},
		{15, 1, "l", `["y"]`}, {15, 3, "t", `"beyond"`}, {15, 1, "absent", "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 3 {
		t.Errorf("left: %v", left)
	}
	want := strings.NewReplacer("min: 2", "min: 7", "'é old'", `"new, \"é\""`, "plain text", `"b"`, "n: null", "n: 8").Replace(withTests)
	if string(out) != want {
		t.Errorf("got\n%s", out)
	}
	if _, err := Compile("a.yaml", []byte(strings.Replace(string(out), "min: 7", "min: 1", 1))); err != nil {
		t.Error(err)
	}
}
