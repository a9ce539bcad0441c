package fetch

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// departure follows a paced request to the wire, so that the delay to the next
// is kept as the host sees it: a new connection takes time that a kept one does
// not. Its fields are guarded by the host's lock.
type departure struct {
	host  *host
	quick time.Duration // an answer within this time says when the request arrived
	gone  bool          // on the wire, or never going to be
	over  bool          // the exchange has ended
	at    time.Time     // when it went out, the last time
}

// maxResends is how often net/http may send a request again by itself: it does
// so where the host has not looked at it, as fast as it can and without end.
const maxResends = 3

// errResent ends an exchange whose request was sent more often than that.
var errResent = errors.New("it does not look at the request")

// traced gives the context of an exchange that reports its departure to d, nil
// when nobody waits for it, and ends the exchange by cancel when the request is
// sent over and over.
func traced(ctx context.Context, d *departure, cancel context.CancelCauseFunc) context.Context {
	var sent atomic.Int32
	t := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		if sent.Add(1) > maxResends {
			cancel(errResent)
		}
		if d != nil {
			d.sent()
		}
	}}
	if d != nil {
		t.GotFirstResponseByte = d.seen
	}
	return httptrace.WithClientTrace(ctx, t)
}

// sent notes that the request has been written, which happens again when a kept
// connection turns out to be dead.
func (d *departure) sent() {
	h := d.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.over {
		return
	}
	d.at = time.Now()
	h.started = d.at
	h.departed(d)
	h.dispatch(d.at)
}

// seen notes the answer's first byte. By then the host has seen the request for
// certain; when that was quick, its delay counts from here.
func (d *departure) seen() {
	h := d.host
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !d.over && d.gone && h.started.Equal(d.at) && now.Sub(d.at) < d.quick {
		h.started = now
	}
}

// departed lets those go on who wait for the departure.
func (h *host) departed(d *departure) {
	if !d.gone {
		d.gone = true
		h.leaving--
	}
}
