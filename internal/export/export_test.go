package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal"
	"shoal/internal/export"
)

var at = time.Date(2025, 2, 10, 14, 31, 5, 487000000, time.UTC)

func result(data string) shoal.Result {
	return shoal.Result{RunPK: 3, Digest: shoal.Digest{9}, RunID: "r", SquidID: "s", TaskID: "t",
		Data: []byte(data), At: at}
}

func rows(data ...string) export.Rows {
	return func(yield func(*shoal.Result, error) bool) {
		for _, d := range data {
			r := result(d)
			if !yield(&r, nil) {
				return
			}
		}
	}
}

// named returns attributes of those names, of type string.
func named(names ...string) []shoal.Attribute {
	attributes := make([]shoal.Attribute, len(names))
	for i, name := range names {
		attributes[i] = shoal.Attribute{Name: name, Type: shoal.AttrString}
	}
	return attributes
}

func write(t *testing.T, f shoal.Format, cols export.Columns, data ...string) string {
	t.Helper()
	var out bytes.Buffer
	n, err := export.Write(t.Context(), &out, f, cols, rows(data...))
	if err != nil || n != int64(len(data)) {
		t.Fatalf("Write = %d, %v; want %d rows", n, err, len(data))
	}
	return out.String()
}

const tail = `"id":"%s","object":"result","squid":"s","run":"r","task":"t","scraping_time":"2025-02-10T14:31:05.487000"}`

func TestJSONKeepsTheRowAndAddsTheEnvelope(t *testing.T) {
	r := result("")
	end := fmt.Sprintf(tail, r.ID())
	got := write(t, shoal.FormatJSONL, export.Columns{}, `{"a":1,"b":{"c":[1]}}`, `{}`, "{\n \"a\": \"x\\ny\"\n}", `{ }`)
	want := `{"a":1,"b":{"c":[1]},` + end + "\n{" + end + "\n" + `{"a":"x\ny",` + end + "\n{" + end + "\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := write(t, shoal.FormatJSON, export.Columns{}); got != "[]\n" {
		t.Errorf("an empty array is %q", got)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(write(t, shoal.FormatJSON, export.Columns{}, `{"a":1}`, `{"a":2}`)), &list); err != nil || len(list) != 2 {
		t.Errorf("array of 2: %v, %v", list, err)
	}
}

func TestSelectAndOmit(t *testing.T) {
	data := `{"a":1,"b":"x, y","c":null}`
	for _, c := range []struct {
		cols export.Columns
		json string
		csv  string
	}{
		{export.Columns{Select: []string{"c", "a", "run"}}, `{"a":1,"c":null,"run":"r"}`, "c,a,run\r\n,1,r\r\n"},
		{export.Columns{Select: []string{"b"}, Omit: []string{"b"}}, `{}`, "\r\n\r\n"},
		{export.Columns{Omit: []string{"a", "id", "object", "squid", "task", "scraping_time"}}, `{"b":"x, y","c":null,"run":"r"}`, "b,c,run\r\n\"x, y\",,r\r\n"},
		{export.Columns{Select: []string{"object", "none"}}, `{"object":"result"}`, "object,none\r\nresult,\r\n"},
		{export.Columns{Select: []string{"c"}}, `{"c":null}`, "c\r\n\"\"\r\n"},
	} {
		c.cols.Attributes = named("a", "b", "c")
		if got := write(t, shoal.FormatJSONL, c.cols, data); got != c.json+"\n" {
			t.Errorf("%+v: JSON %s want %s", c.cols, got, c.json)
		}
		if got := write(t, shoal.FormatCSV, c.cols, data); got != c.csv {
			t.Errorf("%+v: CSV %q want %q", c.cols, got, c.csv)
		}
	}
}

func TestCSVCells(t *testing.T) {
	fields := []string{"v", "w"}
	cols := export.Columns{Attributes: named(fields...), Select: fields}
	for _, c := range []struct{ value, cell, oneLine string }{
		{`"plain"`, "plain", "plain"},
		{`""`, "", ""},
		{`"a,b"`, "a,b", "a,b"},
		{`"say \"hi\""`, `say "hi"`, `say "hi"`},
		{`"a\r\nb\nc\rd"`, "a\r\nb\nc\rd", "a b c d"},
		{`"\u00e9\ud83d\ude00\ud83d\/\\"`, "é😀\ufffd/\\", "é😀\ufffd/\\"},
		{`-1.50e3`, "-1.50e3", "-1.50e3"},
		{`true`, "true", "true"},
		{`null`, "", ""},
		{`{"a":"}\"]\n"}`, `{"a":"}\"]\n"}`, `{"a":"}\"]\n"}`},
		{`[1,[2,"]"]]`, `[1,[2,"]"]]`, `[1,[2,"]"]]`},
	} {
		for _, oneLine := range []bool{false, true} {
			cols.NoLineBreaks = oneLine
			text := write(t, shoal.FormatCSV, cols, `{"v":`+c.value+`,"x":[{}],"w":"end"}`)
			// encoding/csv's reader drops the CR of CRLF inside cells, so the
			// cell is compared as raw text too.
			records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			want := c.cell
			if oneLine {
				want = c.oneLine
			}
			if err != nil || len(records) != 2 || records[1][1] != "end" {
				t.Errorf("%s: %q reads as %q, %v", c.value, text, records, err)
				continue
			}
			if got := records[1][0]; got != strings.ReplaceAll(want, "\r\n", "\n") || !strings.Contains(text, strings.ReplaceAll(want, `"`, `""`)) {
				t.Errorf("%s (one line %v): cell %q in %q, want %q", c.value, oneLine, got, text, want)
			}
		}
	}
}

func TestCSVTakesFieldsInAnyOrderAndMissing(t *testing.T) {
	cols := export.Columns{Attributes: named("a", "b", "c"), Omit: export.Envelope()}
	got := write(t, shoal.FormatCSV, cols, `{"c":3,"a":1}`, `{"b":2,"z":9}`, `{}`)
	if want := "a,b,c\r\n1,,3\r\n,2,\r\n,,\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBrokenRowsAndWritersAreErrors(t *testing.T) {
	for _, data := range []string{``, `[]`, `{"a"`, `{"a":`, `{"a":"`, `{"a":{`, `{"a":"\`, `{a:1}`, `nul`} {
		for _, cols := range []export.Columns{{Attributes: named("a")}, {Select: []string{"a"}}} {
			_, err := export.Write(t.Context(), io.Discard, shoal.FormatCSV, cols, rows(data))
			if !errors.Is(err, export.ErrRow) {
				t.Errorf("CSV of %q: %v, want ErrRow", data, err)
			}
		}
	}
	full := errors.New("full")
	if _, err := export.Write(t.Context(), failing{full}, shoal.FormatJSONL, export.Columns{}, rows(`{}`)); !errors.Is(err, full) {
		t.Errorf("a failing writer: %v", err)
	}
	if _, err := export.Write(t.Context(), io.Discard, "pdf", export.Columns{}, rows()); shoal.CodeOf(err) != "InvalidParameterValue" {
		t.Errorf("an unknown format: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	big := `{"a":"` + strings.Repeat("x", 70<<10) + `"}`
	if _, err := export.Write(ctx, io.Discard, shoal.FormatJSONL, export.Columns{}, rows(big)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// source is n rows by key, in memory; it records the limits it was asked for.
type source struct {
	n      int64
	size   int
	make   func(k int64) string // nil: a row of about size bytes
	limits []int
}

func (s *source) ReadResults(_ context.Context, q shoal.ResultQuery) ([]shoal.Result, error) {
	s.limits = append(s.limits, q.Limit)
	var out []shoal.Result
	for k := q.After + 1; k <= s.n && len(out) < q.Limit; k++ {
		var data string
		if s.make != nil {
			data = s.make(k)
		} else {
			data = fmt.Sprintf(`{"n":%d,"pad":"%s"}`, k, strings.Repeat("p", s.size))
		}
		r := result(data)
		r.Key, r.Digest = k, shoal.Digest{byte(k), byte(k >> 8), byte(k >> 16)}
		out = append(out, r)
	}
	return out, nil
}

func TestReadGoesThroughAllInBatchesOfBoundedBytes(t *testing.T) {
	for _, size := range []int{10, 600, 200_000} {
		s := &source{n: 333, size: size}
		var got []int64
		for r, err := range export.Read(t.Context(), s, shoal.ResultQuery{Run: "r"}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r.Key)
		}
		if len(got) != 333 || !slices.IsSorted(got) || got[332] != 333 {
			t.Errorf("size %d: read %d rows", size, len(got))
		}
		if last := s.limits[len(s.limits)-1]; last*size > 2<<20 {
			t.Errorf("size %d: a batch of %d rows", size, last)
		}
	}
}

func TestUniqueLeavesOutRepeatedKeys(t *testing.T) {
	a, b := &source{n: 5}, &source{n: 7}
	both := func(yield func(*shoal.Result, error) bool) {
		for _, s := range []*source{a, b} {
			for r, err := range export.Read(t.Context(), s, shoal.ResultQuery{}) {
				if !yield(r, err) {
					return
				}
			}
		}
	}
	n := 0
	for range export.Unique(both) {
		n++
	}
	if n != 7 {
		t.Errorf("%d rows, want 7", n)
	}
}

// FuzzCSV holds the scanner against encoding/json: what the one reads from any
// JSON object, the other finds in the CSV's cells.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{`{"a":"x\"y\n,","b":[1,{"c":"]"}]}`, `{"a":1e9,"b":null}`, `{"b":"\ud800","a":"\\"}`, `{`} {
		f.Add([]byte(seed))
	}
	cols := export.Columns{Attributes: named("a", "b"), Select: []string{"a", "b"}}
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		_, err := export.Write(context.Background(), &out, shoal.FormatCSV, cols, rows(string(data)))
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil || want == nil || bytes.Contains(data, []byte(`\u00`)) {
			return // only that nothing panics
		}
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		reader := csv.NewReader(&out)
		records, err := reader.ReadAll()
		if err != nil || len(records) != 2 {
			t.Fatalf("%q: %q, %v", data, records, err)
		}
		for i, name := range cols.Select {
			if got, cell := records[1][i], cellOf(want[name]); cell != nil && got != strings.ReplaceAll(*cell, "\r\n", "\n") {
				t.Errorf("%q: %s = %q, want %q", data, name, got, *cell)
			}
		}
	})
}

// cellOf says what a value's cell holds; nil when it may differ in form.
func cellOf(raw json.RawMessage) *string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	switch v := v.(type) {
	case string:
		return &v
	case nil:
		return new(string)
	case float64, bool:
		text := string(bytes.TrimSpace(raw))
		return &text
	}
	return nil
}

// TestReadSaysWhenItWasCutShort: rows end without an error only at their end.
func TestReadSaysWhenItWasCutShort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, failed := 0, error(nil)
	for _, err := range export.Read(ctx, &source{n: 100_000}, shoal.ResultQuery{}) {
		if n++; n >= 50 {
			cancel()
		}
		failed = err
	}
	if n >= 100_000 || !errors.Is(failed, context.Canceled) {
		t.Errorf("after %d rows: %v", n, failed)
	}
	broken := errors.New("broken")
	for _, err := range export.Read(t.Context(), failingSource{broken}, shoal.ResultQuery{}) {
		failed = err
	}
	if !errors.Is(failed, broken) {
		t.Errorf("a failing source: %v", failed)
	}
}

type failingSource struct{ err error }

func (f failingSource) ReadResults(context.Context, shoal.ResultQuery) ([]shoal.Result, error) {
	return nil, f.err
}

// TestReadEndsWithItsLoop: who breaks off leaves no reader behind.
func TestReadEndsWithItsLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range export.Read(t.Context(), &source{n: 100_000}, shoal.ResultQuery{}) {
			break
		}
		// A goroutine that were left would be found when the bubble ends.
	})
}
