package crawl

import (
	"fmt"
	"testing"
	"time"
)

func TestHostsInUseAreNotForgotten(t *testing.T) {
	h, now := newHosts(), time.Unix(1000, 0)
	h.answered("home", now)
	h.failed("home", "closed")
	for i := range 10 * maxHosts {
		h.answered(fmt.Sprint("host", i), now)
		if i%1000 == 0 {
			if d, ok := h.since("home", now.Add(time.Minute)); !ok || d != time.Minute || h.why("home") != "closed" {
				t.Fatalf("after %d hosts: %s, %v, %q", i, d, ok, h.why("home"))
			}
		}
	}
	if n := len(h.young) + len(h.old); n > 2*maxHosts {
		t.Errorf("%d hosts are remembered, want at most %d", n, 2*maxHosts)
	}
	if _, ok := h.since("host0", now); ok {
		t.Error("a host of long ago is remembered")
	}
}
