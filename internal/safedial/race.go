package safedial

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// attemptDelay is how long one address has before the next is tried besides
// (RFC 8305, section 5).
const attemptDelay = 250 * time.Millisecond

// dialed is the outcome of one attempt.
type dialed struct {
	conn net.Conn
	err  error
}

// race connects to the first address that answers ("happy eyeballs"). The next
// address starts when the last has failed or has had attemptDelay. Attempts that
// lose are cancelled and waited for.
func (d *Dialer) race(ctx context.Context, network string, targets []netip.AddrPort) (net.Conn, error) {
	if len(targets) == 1 {
		return d.dialer.DialContext(ctx, network, targets[0].String())
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan dialed)
	running := 0
	start := func() {
		target := targets[0].String()
		targets = targets[1:]
		running++
		go func() {
			conn, err := d.dialer.DialContext(ctx, network, target)
			results <- dialed{conn, err}
		}()
	}
	defer func() {
		cancel()
		for ; running > 0; running-- {
			if r := <-results; r.conn != nil {
				r.conn.Close()
			}
		}
	}()

	var first error
	next := time.NewTicker(attemptDelay)
	defer next.Stop()
	for start(); running > 0; {
		select {
		case r := <-results:
			running--
			if r.err == nil {
				return r.conn, nil
			}
			if first == nil {
				first = r.err
			}
			if len(targets) > 0 && ctx.Err() == nil {
				next.Reset(attemptDelay)
				start()
			}
		case <-next.C:
			if len(targets) > 0 {
				start()
			}
		}
	}
	return nil, first
}
