package api

import (
	"testing"

	"shoal"
)

// A run that a person starts and that may not begin yet is not one that a
// person paused.
func TestWordsOfPauses(t *testing.T) {
	for _, c := range []struct {
		actor string
		p     shoal.StatusPayload
		want  string
	}{
		{"user", shoal.StatusPayload{From: shoal.RunRunning, Status: shoal.RunPaused, Desc: "D."}, "Paused by a person. D."},
		{"user", shoal.StatusPayload{From: shoal.RunPending, Status: shoal.RunPaused, Reason: shoal.ReasonLimitExceeded, Desc: "D."}, "It waits before it begins. D."},
		{"schedule", shoal.StatusPayload{From: shoal.RunPending, Status: shoal.RunPaused, Reason: shoal.ReasonSlotsLimitExceeded, Desc: "D."}, "It waits before it begins. D."},
		{"engine", shoal.StatusPayload{From: shoal.RunRunning, Status: shoal.RunPaused, Reason: shoal.ReasonLimitExceeded, Desc: "D."}, "Paused by Shoal itself. D."},
		{"engine", shoal.StatusPayload{Status: shoal.RunPaused, Reason: shoal.ReasonLimitExceeded, Desc: "D."}, "Still paused, for another reason. D."},
	} {
		if got := statusWords(c.actor, &c.p); got != c.want {
			t.Errorf("%s, %+v: %q, want %q", c.actor, c.p, got, c.want)
		}
	}
}
