package api

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"shoal"
)

// FuzzParseJSON holds the strict parser against encoding/json: what it takes,
// that takes too, with the same value; what it refuses beyond that is one of
// the things it is strict about.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\n\u00e9\ud83d\ude00",true,false,null,{}]}`, `{"a":1,"a":2}`, `"\ud800"`, `[1e999]`, `01`, "\"\xff\"", `{"a":}`, ` [ ] `, `-`, `{"a" 1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseJSON(data)
		var want any
		stdErr := json.Unmarshal(data, &want)
		if err == nil {
			if stdErr != nil {
				t.Fatalf("%q is taken; encoding/json: %v", data, stdErr)
			}
			if got := floats(got); !reflect.DeepEqual(got, want) {
				t.Fatalf("%q is %#v, want %#v", data, got, want)
			}
			return
		}
		if shoal.KindOf(err) != shoal.KindInvalid {
			t.Fatalf("%q: %v is no refusal", data, err)
		}
		strict := !utf8.Valid(data) || strings.Contains(err.Error(), "twice") || strings.Contains(err.Error(), "surrogate") ||
			strings.Contains(err.Error(), "NUL") || strings.Contains(err.Error(), "deeper") || strings.Contains(err.Error(), "too large")
		if stdErr == nil && !strict {
			t.Fatalf("%q is refused: %v", data, err)
		}
	})
}

// floats turns numbers into what encoding/json makes of them.
func floats(v any) any {
	switch v := v.(type) {
	case number:
		f, _ := json.Number(v).Float64()
		return f
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	}
	return v
}

func TestPlainKeepsIntegersWhole(t *testing.T) {
	v, err := parseJSON([]byte(`[9007199254740993, 1.5, 1e3, -0, 9223372036854775808]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []any{int64(9007199254740993), 1.5, 1000.0, int64(0), math.Pow(2, 63)}
	if got := plain(v); !reflect.DeepEqual(got, want) {
		t.Errorf("plain = %#v, want %#v", got, want)
	}
}

func TestAppendString(t *testing.T) {
	for _, s := range []string{"", "plain", "a\"b\\c\nd\te\x01f\x7f", "é😀\u2028", "\xff\xfea", "a\xc3", strings.Repeat("x\n", 100)} {
		b := appendString(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && got != replaceInvalid(s) {
			t.Errorf("%q is written %s, read %q, %v", s, b, got, err)
		}
	}
}

// replaceInvalid puts U+FFFD for each byte that is not UTF-8.
func replaceInvalid(s string) string { return string([]rune(s)) }

func TestAppendRunIsWhatAnEncoderWouldWrite(t *testing.T) {
	at := time.Date(2025, 2, 4, 10, 26, 50, 847633000, time.UTC)
	r := shoal.Run{ID: "a", SquidID: "b", CrawlerID: "c", Origin: shoal.OriginUser, Status: shoal.RunPaused,
		DoneReason: shoal.ReasonNoCreditsLeft, DoneReasonDesc: "say \"why\"\n", CreatedAt: at, StartedAt: at,
		Active: 1500 * time.Millisecond, CreditsUsed: 1_250_000, TotalResults: 7, UniqueResults: 5, Shared: true,
		ExportDone: true, ExportTime: at, ExportCount: 2, ForceLaunch: true, EmailDone: true, EmailTime: at, NextLaunchAt: at}
	var got map[string]any
	if err := json.Unmarshal(appendRun(nil, &r, at), &got); err != nil {
		t.Fatal(err)
	}
	const ts = "2025-02-04T10:26:50.847633"
	want := map[string]any{"id": "a", "object": "run", "created_at": ts, "started_at": ts, "ended_at": nil, "duration": 1.5,
		"credit_used": 1.25, "origin": "user", "status": "paused", "total_results": 7.0, "total_unique_results": 5.0,
		"export_done": true, "export_time": ts, "done_reason": "no_credits_left", "done_reason_desc": "say \"why\"\n",
		"squid": "b", "crawler_id": "c", "next_launch_at": ts, "shared": true, "is_done": false, "force_launch": true,
		"export_count": 2.0, "email_done": true, "email_time": ts, "email_verification": nil, "results_removed_at": nil}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	r.ActiveSince = at.Add(-2 * time.Second)
	if !strings.Contains(string(appendRun(nil, &r, at)), `"duration":3.5,`) {
		t.Error("the duration of a running run is not live")
	}
}
