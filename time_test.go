package shoal_test

import (
	"testing"
	"time"

	"shoal"
)

func TestAppendTimeIsTheLayout(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	for _, at := range []time.Time{
		time.Date(2025, 2, 4, 10, 26, 50, 847633000, time.UTC),
		time.Date(1999, 12, 31, 23, 59, 59, 999999999, zone),
		time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		time.Unix(0, 1000),
	} {
		want := at.UTC().Format(shoal.TimeLayout)
		if got := string(shoal.AppendTime(nil, at)); got != want {
			t.Errorf("AppendTime(%v) = %s, want %s", at, got, want)
		}
	}
}

func TestResultIDIsStable(t *testing.T) {
	const want = "c0313573749d813310f482ce2a3f4c60"
	key := shoal.Digest{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	got := shoal.ResultID(7, key)
	if got != string(shoal.AppendResultID(nil, 7, key)) || !shoal.ValidID(got) {
		t.Errorf("ResultID = %s, AppendResultID = %s", got, shoal.AppendResultID(nil, 7, key))
	}
	if got != want {
		t.Errorf("ResultID = %s, want %s: stored links to results would break", got, want)
	}
}
