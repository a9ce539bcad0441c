package api

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"shoal"
)

var tableCrawler = shoal.Crawler{Name: "Test", Input: []shoal.Input{
	{Name: "url", Level: shoal.LevelTask, Type: shoal.TypeString},
	{Name: "n", Level: shoal.LevelTask, Type: shoal.TypeInt},
	{Name: "on", Level: shoal.LevelTask, Type: shoal.TypeBoolean},
	{Name: "tags", Level: shoal.LevelTask, Type: shoal.TypeArray},
	{Name: "depth", Level: shoal.LevelSquid, Type: shoal.TypeInt},
}}

// read returns the rows of a file, as "line: params" or "line! error".
func read(t *testing.T, name string, content []byte) ([]string, error) {
	t.Helper()
	table, err := openTable(bytes.NewReader(content), name, &tableCrawler)
	if err != nil {
		return nil, err
	}
	var out []string
	for {
		r, err := table.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if r.err != nil {
			out = append(out, fmt.Sprintf("%d!", r.line))
		} else {
			out = append(out, fmt.Sprintf("%d: %v", r.line, r.params))
		}
	}
}

func TestTableEncodings(t *testing.T) {
	text := "url,n\nhttps://café.example/é,1\nhttps://b.example,2\n"
	want := []string{"2: map[n:1 url:https://café.example/é]", "3: map[n:2 url:https://b.example]"}
	encode := func(e interface {
		Bytes([]byte) ([]byte, error)
	}) []byte {
		b, err := e.Bytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, content := range map[string][]byte{
		"UTF-8":                   []byte(text),
		"UTF-8 with a mark":       []byte("\xef\xbb\xbf" + text),
		"UTF-16LE with a mark":    encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()),
		"UTF-16BE with a mark":    encode(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder()),
		"UTF-16LE without a mark": encode(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder()),
		"UTF-16BE without a mark": encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder()),
		"Latin-1":                 encode(charmap.ISO8859_1.NewEncoder()),
		"CRLF":                    []byte(strings.ReplaceAll(text, "\n", "\r\n")),
	} {
		if got, err := read(t, "tasks.csv", content); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	// A rune that stands across two reads is whole all the same.
	long := []byte("url\n" + strings.Repeat("x", 64<<10-5) + "é\n")
	if got, err := read(t, "a.csv", long); err != nil || !strings.HasSuffix(got[0], "é]") {
		t.Errorf("a rune across reads: %v, …%q", err, got[0][len(got[0])-8:])
	}
	for name, content := range map[string]string{
		"binary": "url\n\x00\x01\x02\x00\x00\xff", "PNG": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a mark that lies": "\xef\xbb\xbfurl\n\xff\xfe\n",
	} {
		if _, err := read(t, "a.csv", []byte(content)); shoal.CodeOf(err) != "BadEncoding" {
			t.Errorf("%s: %v, want BadEncoding", name, err)
		}
	}
}

func TestTableDelimitersAndTypes(t *testing.T) {
	for _, d := range []string{",", "\t", ";", "|"} {
		text := strings.ReplaceAll("url~n~on~tags\nhttps://a.example/?q=1~5~yes~[\"x\"]\n~~~\nhttps://b.example~x\n\"a ~ b\"~7\n", "~", d)
		text = strings.ReplaceAll(text, `["x"]`, `"[""x""]"`)
		got, err := read(t, "f", []byte(text))
		want := []string{"2: map[n:5 on:true tags:[x] url:https://a.example/?q=1]", "3: map[]", "4: map[n:x url:https://b.example]", "5: map[n:7 url:a " + d + " b]"}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("delimiter %q: %q, %v", d, got, err)
		}
	}
	got, err := read(t, "f.csv", []byte("url,\nhttps://a.example,\nhttps://b.example,extra\n\nhttps://c.example,\"\n"))
	if err != nil || len(got) != 3 || got[1] != "3!" || !strings.HasSuffix(got[2], "!") {
		t.Errorf("rows that cannot be read: %q, %v", got, err)
	}
}

func TestTableHeaders(t *testing.T) {
	if _, err := read(t, "a.csv", []byte(" URL , N \nhttps://a.example,1\n")); err != nil {
		t.Errorf("other case and space: %v", err)
	}
	for name, text := range map[string]string{
		"unknown": "url,surprise\n", "squid-level": "url,depth\n", "twice": "url,url\n", "nameless": ",\n", "no header": "https://a.example\nhttps://b.example\n",
	} {
		if _, err := read(t, "a.csv", []byte(text)); shoal.CodeOf(err) != "ParamsInvalid" {
			t.Errorf("%s: %v, want ParamsInvalid", name, err)
		}
	}
}

func FuzzTable(f *testing.F) {
	for _, s := range []string{"url,n\na,1\n", "\xff\xfeu\x00r\x00l\x00\n\x00", "url\t\n\"", "\xef\xbb\xbfurl\r\n\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		table, err := openTable(bytes.NewReader(content), "f", &tableCrawler)
		if err != nil {
			return
		}
		last := int64(0)
		for {
			r, err := table.next()
			if err != nil {
				return
			}
			if r.line <= last {
				t.Fatalf("line %d after %d: an interrupted import would go wrong", r.line, last)
			}
			last = r.line
		}
	})
}
