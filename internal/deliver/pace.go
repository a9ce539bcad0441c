package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// slowest is the pace in bytes a second below which a transfer is given up.
	slowest = 50 << 10
	// patience is the time that a transfer has besides that of its bytes.
	patience = 2 * time.Minute
	// stall is how long a server may be silent while something is wanted of it.
	stall = time.Minute
)

// slowError is the cause with which a transfer ends that is too slow.
type slowError struct {
	bytes  int64
	within time.Duration
}

func (e *slowError) Error() string {
	return fmt.Sprintf("took %s bytes within %s, which is too slow: less than %d kB a second is given up",
		grouped(e.bytes), e.within.Round(time.Second), slowest>>10)
}

// paced is a file on its way. However large it is, and however slowly the other
// side takes it, its transfer comes to an end: the context that newPaced returns
// ends with a *slowError when the bytes read so far should have been sent.
type paced struct {
	io.Reader
	began time.Time
	timer *time.Timer
	end   context.CancelCauseFunc

	mu     sync.Mutex
	bytes  int64
	broken error
}

// newPaced begins a transfer. The caller calls stop when it is over.
func newPaced(ctx context.Context, r io.Reader) (transfer context.Context, p *paced, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p = &paced{Reader: r, began: time.Now(), end: cancel}
	p.timer = time.AfterFunc(patience, p.give)
	return ctx, p, func() {
		p.timer.Stop()
		cancel(nil)
	}
}

// Read gives the transfer the time that the bytes need at the slowest pace.
func (p *paced) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += int64(n)
	if err != nil && err != io.EOF && p.broken == nil {
		p.broken = err
	}
	p.timer.Reset(time.Until(p.began.Add(p.allowance())))
	return n, err
}

// verdict returns what ended the transfer if it was not the other side: its own
// slowness, or a file of ours that cannot be read. Else it returns err.
func (p *paced) verdict(ctx context.Context, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return fmt.Errorf("the run's file cannot be read on this side: %w", p.broken)
	}
	if slow, ok := errors.AsType[*slowError](context.Cause(ctx)); ok {
		return slow
	}
	return err
}

// allowance is the time that the bytes read so far may take.
func (p *paced) allowance() time.Duration {
	return patience + time.Duration(p.bytes/slowest)*time.Second
}

func (p *paced) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := time.Until(p.began.Add(p.allowance())); left > 0 {
		p.timer.Reset(left)
		return
	}
	p.end(&slowError{p.bytes, p.allowance()})
}

// patient gives every read and write of a connection its own time, and
// remembers what ended it: what stands on the connection only tells that it is lost.
type patient struct {
	net.Conn
	mu     sync.Mutex
	failed error
}

func (c *patient) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, c.note(err)
	}
	n, err := c.Conn.Read(b)
	return n, c.note(err)
}

func (c *patient) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return 0, c.note(err)
	}
	n, err := c.Conn.Write(b)
	return n, c.note(err)
}

func (c *patient) note(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
	return err
}

// cause returns what ended the connection, nil while it lives.
func (c *patient) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}
