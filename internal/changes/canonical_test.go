package changes

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

func canonical(t *testing.T, v string) string {
	t.Helper()
	b, n, err := appendCanonical(nil, []byte(v), 0)
	if err != nil || n != len(v) {
		t.Fatalf("%s: read %d of %d bytes, %v", v, n, len(v), err)
	}
	return string(b)
}

func TestEqualValuesHaveOneForm(t *testing.T) {
	for _, same := range [][]string{
		{`1`, `1.0`, `1e0`, `10e-1`, `0.1E+1`, `1.00`, `100e-2`},
		{`0`, `-0`, `0.0`, `0e5`, `-0.00`},
		{`-12.5`, `-125e-1`, `-12.50`},
		{`100000000000000000000`, `1e20`, `1.0E20`},
		{`"A"`, `"\u0041"`},
		{`"é😀\""`, `"\u00e9\ud83d\ude00\""`, `"\u00E9😀\u0022"`},
		{`"a/b"`, `"a\/b"`},
		{`"\\n"`, `"\u005cn"`},
		{`{"a":1,"b":[1,{"c":null}]}`, `{ "b" : [ 1.0 , {"c" : null } ] , "\u0061" : 1 }`},
		{`[]`, `[ ]`}, {`{}`, `{ }`},
	} {
		for _, v := range same {
			if canonical(t, v) != canonical(t, same[0]) {
				t.Errorf("%s and %s are equal, and yet %s and %s", v, same[0], canonical(t, v), canonical(t, same[0]))
			}
		}
	}
	different := []string{`1`, `"1"`, `10`, `0.1`, `-1`, `true`, `"true"`, `null`, `"null"`, `[1]`, `["1"]`, `[1,1]`, `[[1],1]`, `{"a":1}`,
		`{"a":"1"}`, `{"a":[1]}`, `{"a":1,"b":1}`, `"a"`, `"\\"`, `"\""`, `"\n"`, `"\\n"`, `""`, `[]`, `{}`, `9007199254740993`, `9007199254740992`}
	seen := map[string]string{}
	for _, v := range different {
		c := canonical(t, v)
		if seen[c] != "" {
			t.Errorf("%s and %s differ, and yet have the form %s", v, seen[c], c)
		}
		seen[c] = v
	}
}

// Whatever is JSON is equal to another in form exactly if it is so in value.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,"\u0041\\\"",{"b":null}]}`, `-0.0e-7`, `[[[[]]]]`, `"\ud83d"`, `{"a":1,"a":2}`, `[1,`, `{"a"`, `1e999999999999999999999`} {
		f.Add([]byte(s), []byte(`1`))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, xok := formOf(a)
		y, yok := formOf(b)
		if json.Valid(a) != xok && json.Valid(a) {
			t.Fatalf("%s is JSON, and has no form", a)
		}
		if !xok || !yok || !json.Valid(a) || !json.Valid(b) || strange(a) || strange(b) {
			return
		}
		if again, _ := formOf([]byte(x)); json.Valid([]byte(x)) && again != x {
			t.Fatalf("the form of %s is %s, whose form is %s", a, x, again)
		}
		if (x == y) != equal(a, b) {
			t.Fatalf("%s and %s: forms %s and %s", a, b, x, y)
		}
	})
}

// strange texts have no one value: names twice, half surrogates.
func strange(v []byte) bool {
	return bytes.ContainsRune(v, '\ufffd') || bytes.Contains(v, []byte(`\u`)) || bytes.Count(v, []byte(`:`)) > 1 || !bytes.Equal(v, bytes.ToValidUTF8(v, nil)) ||
		bytes.ContainsAny(v, "eE")
}

func formOf(v []byte) (string, bool) {
	v = bytes.TrimSpace(v)
	b, n, err := appendCanonical(nil, v, 0)
	return string(b), err == nil && n == len(v)
}

// equal compares by encoding/json, numbers as fractions.
func equal(a, b []byte) bool {
	value := func(v []byte) any {
		dec := json.NewDecoder(bytes.NewReader(v))
		dec.UseNumber()
		var out any
		if dec.Decode(&out) != nil {
			return nil
		}
		return fractions(out)
	}
	return reflect.DeepEqual(value(a), value(b))
}

func fractions(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return "number " + r.String()
		}
		return v.String()
	case string:
		return "string " + v
	case []any:
		for i := range v {
			v[i] = fractions(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = fractions(v[k])
		}
	}
	return v
}

func TestDeepValuesEnd(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	if got := canonical(t, deep); got != deep {
		t.Errorf("%d bytes became %d", len(deep), len(got))
	}
	for _, bad := range []string{"", "[", "{", `"`, `{"a"}`, `{"a":}`, `[1 2]`, `{"a":1 "b":2}`, `[,]`, `{,}`, `"\`, deep[:120_000]} {
		if b, n, err := appendCanonical(nil, []byte(bad), 0); err == nil && n == len(bad) {
			t.Errorf("%.20q has the form %.20q", bad, b)
		}
	}
}

func TestDifferences(t *testing.T) {
	h := newHasher(maphash.MakeSeed(), Selection{})
	for name, c := range map[string]struct {
		before, after string
		sel           Selection
		want          string
	}{
		"nothing":            {`{"a":1,"b":"x"}`, `{"b":"x","a":1.0}`, Selection{}, ``},
		"a number":           {`{"a":1,"b":"x"}`, `{"a":2,"b":"x"}`, Selection{}, `a: 1 -> 2`},
		"null is none":       {`{"a":1,"b":null}`, `{"a":1,"c":null}`, Selection{}, ``},
		"to null":            {`{"a":1,"b":2}`, `{"a":1,"b":null}`, Selection{}, `b: 2 -> null`},
		"gone":               {`{"a":1,"b":2}`, `{"a":1}`, Selection{}, `b: 2 -> `},
		"come":               {`{"a":1}`, `{"a":1,"b":{"c":[]}}`, Selection{}, `b:  -> {"c":[]}`},
		"only some fields":   {`{"a":1,"b":1}`, `{"a":2,"b":2}`, Selection{Fields: []string{"b"}}, `b: 1 -> 2`},
		"all but some":       {`{"a":1,"b":1}`, `{"a":2,"b":2}`, Selection{Omit: []string{"b"}}, `a: 1 -> 2`},
		"the newer's order":  {`{"a":1,"b":1,"c":1}`, `{"b":2,"a":2,"d":1}`, Selection{}, `b: 1 -> 2, a: 1 -> 2, d:  -> 1, c: 1 -> `},
		"an escaped name":    {`{"\u0061\"":1}`, `{"a\"":2}`, Selection{Fields: []string{`a"`}}, `a": 1 -> 2`},
		"swapped values":     {`{"a":1,"b":2}`, `{"a":2,"b":1}`, Selection{}, `a: 1 -> 2, b: 2 -> 1`},
		"text is no number":  {`{"a":1}`, `{"a":"1"}`, Selection{}, `a: 1 -> "1"`},
		"members in a field": {`{"a":{"x":1,"y":[1,2]}}`, `{"a":{"y":[1.0,2],"x":1}}`, Selection{}, ``},
	} {
		fields, err := Differences([]byte(c.before), []byte(c.after), c.sel)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range fields {
			got = append(got, f.Name+": "+string(f.Before)+" -> "+string(f.After))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		h.sel = c.sel
		was, err1 := h.row([]byte(c.before))
		is, err2 := h.row([]byte(c.after))
		if err1 != nil || err2 != nil || (was == is) != (c.want == "") {
			t.Errorf("%s: hashes %x and %x, %v %v", name, was, is, err1, err2)
		}
	}
	if _, err := Differences([]byte(`{"a":1`), []byte(`{}`), Selection{}); err == nil {
		t.Error("half a row has differences")
	}
}
