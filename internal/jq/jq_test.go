package jq

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"
)

func run(t *testing.T, program, input string) (string, error) {
	t.Helper()
	p, err := Compile(program)
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	var v any
	if err := json.Unmarshal([]byte(input), &v); err != nil {
		t.Fatal(err)
	}
	var out []string
	err = p.Run(v, 100, func(v any) bool {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
		return true
	})
	return strings.Join(out, " "), err
}

// The guards must not change what a program means.
func TestPrograms(t *testing.T) {
	const doc = `{"items":[{"id":1,"name":"A b","tags":["x","y"],"price":"9.50"},{"id":2,"name":"C","tags":[],"price":null}],"next":"n2","total":2,"first":["a","b"],"second":[1,2]}`
	for _, c := range []struct{ program, want string }{
		{`.items[].id`, `1 2`},
		{`.items | length`, `2`},
		{`[.items[] | select(.tags | length > 0) | .name]`, `["A b"]`},
		{`.items | map({id, label: "\(.id): \(.name)"})`, `[{"id":1,"label":"1: A b"},{"id":2,"label":"2: C"}]`},
		{`.items[0] | {(.name): .id}`, `{"A b":1}`},
		{`.items[0] | {"k-\(.id)": .name}`, `{"k-1":"A b"}`},
		{`.items[0]."\("na" + "me")"`, `"A b"`},
		{`.items | map(.id) | add`, `3`},
		{`add(.items[].id)`, `3`},
		{`.items[0].tags | join(", ")`, `"x, y"`},
		{`[1, true, null, "a"] | join("-")`, `"1-true--a"`},
		{`[.first, .second] | transpose`, `[["a",1],["b",2]]`},
		{`[[1], [2, 3]] | transpose`, `[[1,2],[null,3]]`},
		{`[.first, .second] | transpose | map({key: .[0], value: .[1]}) | from_entries`, `{"a":1,"b":2}`},
		{`.items | sort_by(-.id) | map(.id)`, `[2,1]`},
		{`.items | group_by(.tags | length) | map(length)`, `[1,1]`},
		{`.items | max_by(.id).name`, `"C"`},
		{`first(.items[] | .id), last(.items[].id)`, `1 2`},
		{`.items[] | .price // "none"`, `"9.50" "none"`},
		{`.items[0].price | tonumber * 2`, `19`},
		{`1 + 2 - 5 * 2`, `-7`},
		{`"ab" * 3, "a" + "b"`, `"ababab" "ab"`},
		{`[3,1,2] - [1]`, `[3,2]`},
		{`{a: {b: 1}} * {a: {c: 2}}`, `{"a":{"b":1,"c":2}}`},
		{`.items[0].name | ascii_downcase | test("a b"), gsub(" "; "_"), [scan("[a-z]")], split(" ")`, `true "a_b" ["a","b"] ["a","b"]`},
		{`.items[0].name | capture("(?<x>[A-Z])").x`, `"A"`},
		{`[.items[0].tags[] as $t | $t + "!"]`, `["x!","y!"]`},
		{`. as {items: [$a, $b]} | $a.id + $b.id`, `3`},
		{`reduce .items[] as $i (0; . + $i.id)`, `3`},
		{`[foreach .items[] as $i (0; . + $i.id; . * 10)]`, `[10,30]`},
		{`def double(f): f * 2; double(.total)`, `4`},
		{`if .next then .next else empty end`, `"n2"`},
		{`try error("x") catch "caught"`, `"caught"`},
		{`.missing?, (.next | .a?)`, `null`},
		{`@base64 "\(.next)", (.items[0].tags | @csv), (.total | @text)`, `"bjI=" "\"x\",\"y\"" "2"`},
		{`[paths(type == "number")] | length`, `5`},
		{`.first | contains(["a"]), index("b"), inside(["a", "b", "c"])`, `true 1 true`},
		{`to_entries | map(.key) | sort`, `["first","items","next","second","total"]`},
		{`with_entries(select(.value == 2))`, `{"total":2}`},
		{`del(.items, .first, .second)`, `{"next":"n2","total":2}`},
		{`map_values(type) | .total`, `"number"`},
		{`[limit(3; range(10))], [range(0; 10; 4)]`, `[0,1,2] [0,4,8]`},
		{`[.. | numbers] | unique`, `[1,2]`},
		{`"2024-03-01T00:00:00Z" | fromdate | todate`, `"2024-03-01T00:00:00Z"`},
		{`9007199254740993 + 1`, `9007199254740994`},
	} {
		got, err := run(t, c.program, doc)
		if err != nil || got != c.want {
			t.Errorf("%s\n got %s (%v)\nwant %s", c.program, got, err, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for program, says := range map[string]string{
		`.a = 1`: "assignments", `.a |= 1`: "assignments", `.a += 1`: "assignments", `setpath(["a"]; 1)`: "not changed",
		`env.PATH`: "environment", `$ENV`: "environment", `input`: "one input", `[inputs]`: "one input", `debug`: "log", `.a | stderr`: "log",
		`$__loc__`: "$__loc__", `now`: "clock", `halt`: "end", `pick(.a)`: "not changed", `_add(1; 2)`: "no function", `_modify(.a; 1)`: "no function",
		`import "a" as a; .`: "import", `nonsense`: "no function nonsense/0", `.a |`: "unexpected", `$x`: "$x", `map(.a; .b)`: "map/2",
		`def map(f): f; .`: "taken", `def f(map): map; .`: "taken", `def _f: 1; .`: "taken", strings.Repeat("[", 200): "nested", strings.Repeat("a", 5000): "most",
		`builtins`: "no function", `get_search_list`: "no function", `.[`: "unexpected", `modulemeta`: "no function", `fromstream(1)`: "not changed",
	} {
		_, err := Compile(program)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", program, err, says)
		}
	}
}

// Each of these would take gojq for ever, or all the memory there is.
func TestBombs(t *testing.T) {
	pluses := "." + strings.Repeat(" | . + .", 60)
	for name, program := range map[string]string{
		"pattern":      `("x" * 200000) | test("(x?){1000}y")`,
		"large one":    `("x" * 30000) | [scan("((x{10}y){100}z){9}")]`,
		"computed one": `("(x?){9}" * 1000) as $p | "x" | test($p; "i")`,
		"listed one":   `"x" | test(["(x?){1000}y", "i"])`,
		"long text":    `("x" * 8000000) | test("(x?){100}y")`,
		"range":        `[range(1e9)]`,
		"outputs":      `range(1e9)`,
		"recursion":    `def f: f; f`,
		"stack":        `def f: 1 + f; f`,
		"mutual":       `def f: def g: f; g; f`,
		"until":        `0 | until(false; . + 1)`,
		"repeat":       `last(repeat(1))`,
		"recurse":      `[recurse([.])]`,
		"deep":         `reduce range(1e6) as $i (0; [.])`,
		"doubling":     `"x" | ` + pluses,
		"list":         `[1] | ` + pluses,
		"shared":       `reduce range(60) as $i (1; [., .])`,
		"object":       `reduce range(60) as $i (1; {a: ., b: .})`,
		"reduce":       `reduce range(60) as $i ("x"; . + .)`,
		"times":        `"x" * 1e9`,
		"square":       `reduce range(60) as $i (10; . * .) | tostring | length | if . > 1000 then "big" else error("bounded") end`,
		"interpolated": `("x" * 8000000) as $x | "` + strings.Repeat(`\($x)`, 300) + `"`,
		"key":          `("x" * 8000000) as $x | {"` + strings.Repeat(`\($x)`, 300) + `": 1}`,
		"join":         `("x" * 1000000) as $s | [range(100000) | ""] | join($s)`,
		"transpose":    `[[range(100000)], (range(90000) | [])] | transpose`,
		"add":          `("x" * 1000000) as $s | add(range(100000) | $s)`,
		"map add":      `("x" * 1000000) as $s | [range(100000)] | map($s) | add`,
		"tojson":       `[range(1000)] as $x | [range(1000) | $x] | tojson`,
		"subtract":     `[range(100000)] as $x | $x - [range(100000) | -1]`,
		"contains":     `[range(100000)] | contains([range(100000) | -1])`,
		"index":        `[range(100000) | 0] | .[[range(50000) | 0]]`,
		"indices":      `[range(100000) | 0] | indices([range(50000) | 0])`,
		"sort":         `[range(100000)] as $x | [range(100000)] | sort_by($x)`,
		"match":        `"x" * 8000000 | [match(""; "g")]`,
		"gsub":         `("x" * 8000000) as $x | ("y" * 200000) | gsub(""; $x)`,
		"frames":       `def f: ("x" * 8000000) as $x | f + $x; f`,
		"combinations": `[range(1000)] as $x | [[$x, $x, $x, $x] | combinations] | length`,
		"walk":         `def f: walk([., ., .]) | f; [range(1000)] | f`,
		"swallowed":    `def f: (try ("x" * 1e9) catch .) | f; f`,
		"path":         `[range(1e6)] | [paths] | [.[] | $__loc]`,
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Compile(program)
			if err != nil {
				return // refused is well too
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			begin, values := time.Now(), 0
			err = p.Run(map[string]any{"a": 1.0}, 1000, func(any) bool { values++; return true })
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%d values, no error", values)
			}
			if d := time.Since(begin); d > 10*maxTime {
				t.Errorf("it took %v", d)
			}
			if sys := int64(after.HeapSys) - int64(before.HeapSys); sys > 1<<30 {
				t.Errorf("the heap grew by %d MB", sys>>20)
			}
		})
	}
}

// A program that was ended starts anew with its next value.
func TestBudgetIsPerRun(t *testing.T) {
	p, err := Compile(`if . == 1 then def f: f; f else . + 1 end`)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(1, 1, func(any) bool { return true }); err == nil {
		t.Fatal("the loop came to an end")
	}
	var got any
	if err := p.Run(2, 1, func(v any) bool { got = v; return true }); err != nil || got != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzRun(f *testing.F) {
	for _, s := range []string{`.a[] | {b, c: (.d + 1)}`, `[range(1e9)]`, `"\(.)" * 9`, `def f(x): x | f(.); f(.)`, `.. | numbers`, `.[[1]]`} {
		f.Add(s)
	}
	var doc any
	if err := json.Unmarshal([]byte(`{"a":[1,"x",{"b":null}],"d":2.5}`), &doc); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Compile(source)
		if err != nil {
			return
		}
		begin := time.Now()
		_ = p.Run(doc, 100, func(any) bool { return true })
		if d := time.Since(begin); d > 10*maxTime {
			t.Errorf("%q took %v", source, d)
		}
	})
}
