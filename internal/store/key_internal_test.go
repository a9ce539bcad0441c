package store

import (
	"testing"
	"time"

	"shoal"
)

// A key that comes after a time away is written soon, one that is in use once a
// minute with the others.
func TestWhoComesIsWrittenSoon(t *testing.T) {
	c, now := newKeyCache(SQLite), time.Unix(1e9, 0)
	for i, step := range []struct {
		key   shoal.KeyID
		after time.Duration
		soon  bool
	}{{"a", 0, true}, {"a", time.Minute, false}, {"b", time.Second, true}, {"a", away - 2*time.Second, false}, {"a", away, true}} {
		now = now.Add(step.after)
		c.touch(step.key, now)
		soon := false
		select {
		case <-c.came:
			soon = true
		default:
		}
		if soon != step.soon {
			t.Errorf("use %d: written soon: %v, want %v", i, soon, step.soon)
		}
	}
	used := c.takeUses()
	if len(used) != 2 || used["a"].last != now || used["a"].first != time.Unix(1e9, 0) || len(c.takeUses()) != 0 {
		t.Errorf("the uses are %v", used)
	}
	// What could not be written is not forgotten, and newer uses stay newer.
	c.touch("a", now.Add(time.Second))
	c.giveBack(used)
	if again := c.takeUses(); again["a"].first != time.Unix(1e9, 0) || again["a"].last != now.Add(time.Second) || len(again) != 2 {
		t.Errorf("given back: %v", again)
	}
}
