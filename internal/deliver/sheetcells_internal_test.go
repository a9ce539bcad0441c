package deliver

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"
)

// FuzzSheetCell: whatever a field holds, its cell is one that Google takes, and
// a text that fits is the text.
func FuzzSheetCell(f *testing.F) {
	for _, s := range []string{`null`, `true`, `"=1+1"`, `"\u0000\ud800"`, `1e999`, `-0.1`, `123456789012345678`, `{"a":[1]}`, `[]`, `""`, `"<&>"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = []byte(strings.TrimSpace(string(raw)))
		var in any
		if json.Unmarshal(raw, &in) != nil {
			return
		}
		var w cellWriter
		cell := w.cell(raw)
		if cell == nil {
			if in != nil {
				t.Fatalf("%s is left out", raw)
			}
			return
		}
		var out any
		if err := json.Unmarshal(cell, &out); err != nil {
			t.Fatalf("%s becomes %s: %v", raw, cell, err)
		}
		text, isText := out.(string)
		if _, number := out.(float64); !isText && !number && out != in {
			t.Fatalf("%s becomes %s", raw, cell)
		}
		if n := len(utf16.Encode([]rune(text))); n > maxCell {
			t.Fatalf("%d characters", n)
		}
		if s, ok := in.(string); ok && w.cut == 0 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) && text != s {
			t.Fatalf("%q becomes %q", s, text)
		}
	})
}

// FuzzColumns: no answer to a read does harm.
func FuzzColumns(f *testing.F) {
	f.Add(`{"spreadsheetId":"x","valueRanges":[{"range":"A1:B9","majorDimension":"COLUMNS","values":[["a",1,true,""],[],[null,"b"]]},{"range":"C1"}]}`)
	f.Add(`{"valueRanges":[{"values":[[["deep"]]]}]}`)
	f.Add(`{"valueRanges":{}}`)
	f.Fuzz(func(t *testing.T, answer string) {
		n := 0
		err := columnReader(func(which, across, down int, text string) {
			if which < 0 || across < 0 || down < 0 || text == "" {
				t.Fatalf("cell %d, %d, %d: %q", which, across, down, text)
			}
			n++
		})(strings.NewReader(answer))
		if n > len(answer) {
			t.Fatalf("%d cells, %v", n, err)
		}
	})
}

func TestColumns(t *testing.T) {
	type cell struct {
		which, across, down int
		text                string
	}
	var got []cell
	err := columnReader(func(which, across, down int, text string) { got = append(got, cell{which, across, down, text}) })(strings.NewReader(
		`{"valueRanges":[{"range":"A1:B9"},{"values":[[],["a","",2.5],["TRUE",true]],"range":"x"}],"spreadsheetId":"x"}`))
	want := []cell{{1, 1, 0, "a"}, {1, 1, 2, "2.5"}, {1, 2, 0, "TRUE"}, {1, 2, 1, "true"}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("cell %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestA1(t *testing.T) {
	for column, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 701: "ZZ", 702: "AAA", 18277: "ZZZ"} {
		if got := letters(column); got != want {
			t.Errorf("column %d is %s, want %s", column, got, want)
		}
	}
	if got := a1(&tab{Title: "It's"}, 1, 2, 9, 27); got != "'It''s'!C2:AB10" {
		t.Errorf("the range is %s", got)
	}
}

// FuzzSheetLink: an id is one, whatever the address.
func FuzzSheetLink(f *testing.F) {
	for _, s := range []string{"https://docs.google.com/spreadsheets/d/1abc/edit?gid=0#gid=7", "https://docs.google.com/spreadsheets/u/0/d/1abc", "https://docs.google.com/a/x.com/spreadsheets/d/1abc/", "https://docs.google.com/spreadsheets/d/e/2PACX/pubhtml"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, link string) {
		id, gid, err := SheetLink(link)
		if err == nil && (!validSheetID(id) || gid < -1) || err != nil && id != "" {
			t.Fatalf("%q is %q, %d, %v", link, id, gid, err)
		}
	})
}

func TestSheetLink(t *testing.T) {
	for link, want := range map[string]struct {
		id  string
		gid int64
	}{
		"https://docs.google.com/spreadsheets/d/1aB-_c/edit?gid=5#gid=7":               {"1aB-_c", 7},
		" https://docs.google.com/spreadsheets/d/1aB/edit?gid=5 ":                      {"1aB", 5},
		"https://docs.google.com/spreadsheets/u/1/d/1aB":                               {"1aB", -1},
		"https://docs.google.com/a/example.com/spreadsheets/d/1aB/edit#gid=0&range=A1": {"1aB", 0},
		"https://docs.google.com/spreadsheets/d/e/2PACX-1/pubhtml":                     {},
		"https://docs.google.com/document/d/1aB/edit":                                  {},
		"http://docs.google.com/spreadsheets/d/1aB":                                    {},
		"https://docs.google.com.evil.test/spreadsheets/d/1aB":                         {},
		"https://docs.google.com/spreadsheets/d/1aB%2F..%2F":                           {"1aB", -1},
		"https://docs.google.com/spreadsheets/":                                        {},
	} {
		id, gid, err := SheetLink(link)
		if id != want.id || (err == nil) != (want.id != "") || err == nil && gid != want.gid {
			t.Errorf("%s is %q, %d, %v", link, id, gid, err)
		}
	}
}
