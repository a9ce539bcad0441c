package jobs

import (
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
)

func TestBackoffDoublesUpToAMinute(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	policy := backoff{now: func() time.Time { return now }}
	for failures, want := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second,
		6: time.Minute, 7: time.Minute, maxAttempts - 1: time.Minute,
	} {
		job := &rivertype.JobRow{Attempt: 500, Errors: make([]rivertype.AttemptError, failures)}
		wait := policy.NextRetry(job).Sub(now)
		if wait < want || wait >= want+want/10 {
			t.Errorf("after %d earlier failures the wait is %s, want %s and less than a tenth more", failures, wait, want)
		}
	}
}
