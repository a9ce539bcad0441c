package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
)

// TestPrivateSwitchesAreSeparate starts servers with one switch each: what may
// be visited may not be delivered to, and the other way round.
func TestPrivateSwitchesAreSeparate(t *testing.T) {
	t.Parallel()
	target := site(t, fixtures.Static())
	var hooks atomic.Int32
	receiver := site(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hooks.Add(1) }))
	for name, c := range map[string]struct {
		args             []string
		visits, delivers bool
	}{
		"targets":    {[]string{"--allow-private-targets"}, true, false},
		"deliveries": {[]string{"--allow-private-deliveries"}, false, true},
		"neither":    {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, t.TempDir(), "")
			srv.args = append([]string{"serve", "--addr", srv.addr}, c.args...)
			srv.start()
			before := hooks.Load()
			got, err := srv.client().TestDelivery(t.Context(), "webhook", "", map[string]any{"url": receiver})
			if err != nil {
				t.Fatal(err)
			}
			if got.Success != c.delivers || (hooks.Load() > before) != c.delivers {
				t.Errorf("the webhook: %+v, received %d: want success %v", got, hooks.Load()-before, c.delivers)
			}
			if !c.delivers && !strings.Contains(got.Detail, "SHOAL_ALLOW_PRIVATE_DELIVERIES") {
				t.Errorf("the refusal names no switch of deliveries: %s", got.Detail)
			}
			r := srv.await(srv.begin("website", target+"/", 1), 30*time.Second, func(r *client.Run) bool { return r.IsDone || r.Status == "paused" })
			if (r.Status == "done") != c.visits {
				t.Errorf("the run ended as %s (%s): want visited %v", r.Status, r.Desc(), c.visits)
			}
		})
	}
}
