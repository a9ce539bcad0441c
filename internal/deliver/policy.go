package deliver

import (
	"math/rand/v2"
	"time"

	"shoal"
)

// Webhooks are tried three times more, a quarter of an hour apart, as those of
// lobstr.io are; or not at all.
const (
	webhookAttempts = 4
	webhookWait     = 15 * time.Minute
)

// waits are what the other channels wait between attempts: the last of them is
// made about two hours and three quarters after the first.
var waits = []time.Duration{30 * time.Second, 2 * time.Minute, 8 * time.Minute, 32 * time.Minute, 2 * time.Hour}

// backoff returns how long to wait after the attempt of that number (from 1)
// failed; false: it was the last. The wait is lengthened by up to a tenth, so that
// what failed together does not come back together.
func backoff(c shoal.Channel, retry bool, attempt int) (time.Duration, bool) {
	var wait time.Duration
	switch {
	case c == shoal.ChannelWebhook && retry && attempt < webhookAttempts:
		wait = webhookWait
	case c != shoal.ChannelWebhook && attempt <= len(waits):
		wait = waits[attempt-1]
	default:
		return 0, false
	}
	return wait + rand.N(wait/10), true
}
