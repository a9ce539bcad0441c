package fetch

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 5 ": 5 * time.Second, "1.5": 1500 * time.Millisecond,
		"86401": 24 * time.Hour, "99999999999999999999999": 24 * time.Hour,
		"-5": 0, "soon": 0, "1e3": 0, "5 minutes": 0, "NaN": 0, "Inf": 0, "1.x": 0,
		"Sun, 01 Mar 2026 12:00:30 GMT":  30 * time.Second,
		"Sunday, 01-Mar-26 12:01:00 GMT": time.Minute,
		"Sun Mar  1 12:00:10 2026":       10 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT":  0,
		"Mon, 01 Mar 2027 12:00:00 GMT":  24 * time.Hour,
	} {
		if got := RetryAfter(value, now); got != want {
			t.Errorf("RetryAfter(%q) = %s, want %s", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, s := range []string{"120", "Sun, 01 Mar 2026 12:00:30 GMT", "-1", "1.5", "9e99", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d := RetryAfter(value, now)
		if d < 0 || d > maxRetryAfter {
			t.Errorf("%q asks for %s", value, d)
		}
		if at, err := http.ParseTime(value); err == nil && at.After(now) && d == 0 {
			t.Errorf("%q lies in the future and asks for nothing", value)
		}
	})
}
