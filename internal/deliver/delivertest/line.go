// Package delivertest has the other sides of deliveries for tests: real
// servers of SMTP, S3 and SFTP, and the bad lines that lead to them.
package delivertest

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Fault is what is wrong with a line. The zero value is a good one.
type Fault struct {
	// Down: the connection is refused.
	Down bool
	// After is how many bytes from the client get through before the rest holds.
	After int
	// Cut ends the connection then.
	Cut bool
	// Hang lets nothing more through, in either direction.
	Hang bool
	// Drip lets a byte a second of the client through.
	Drip bool
}

// Line is a network of one server that is all in memory, so that a test may
// run in a bubble of testing/synctest, where an hour of waiting takes no time.
// It is safe for concurrent use.
type Line struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	fault Fault
	carry int64
}

// NewLine returns a good line. The server serves it as its listener.
func NewLine() *Line {
	return &Line{accept: make(chan net.Conn), closed: make(chan struct{})}
}

// Set says what is wrong with connections made from now on.
func (l *Line) Set(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

// Carried returns the bytes from clients that the server got, of all connections.
func (l *Line) Carried() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carry
}

// Accept implements net.Listener.
func (l *Line) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Line) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *Line) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// Dial connects to the server, whatever the address.
func (l *Line) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	l.mu.Lock()
	fault := l.fault
	l.mu.Unlock()
	if fault.Down {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.Addr(), Err: syscall.ECONNREFUSED}
	}
	ours, nearEnd := net.Pipe()
	farEnd, theirs := net.Pipe()
	select {
	case l.accept <- theirs:
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.Addr(), Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w := &wire{near: nearEnd, far: farEnd, over: make(chan struct{})}
	bad := make(chan struct{})
	go w.run(farEnd, nearEnd, func(n int) bool {
		l.mu.Lock()
		l.carry += int64(n)
		l.mu.Unlock()
		if fault == (Fault{}) {
			return true
		}
		if fault.After -= n; fault.After > 0 {
			return true
		}
		return w.spoil(fault, bad)
	}, func() int { return fault.chunk() })
	go w.run(nearEnd, farEnd, func(int) bool {
		select {
		case <-bad:
			return fault.Drip || w.spoil(fault, bad)
		default:
			return true
		}
	}, func() int { return chunkSize })
	return &tcpLike{ours}, nil
}

const chunkSize = 32 << 10

// chunk is how many bytes may be taken at a time.
func (f Fault) chunk() int {
	switch {
	case f == Fault{}:
		return chunkSize
	case f.After > 0:
		return min(f.After, chunkSize)
	}
	return 1
}

// wire carries the bytes of one connection.
type wire struct {
	near, far net.Conn
	over      chan struct{}
	once      sync.Once
}

// end ends both halves.
func (w *wire) end() {
	w.once.Do(func() {
		close(w.over)
		w.near.Close()
		w.far.Close()
	})
}

// run copies until an end closes or allow says no; allow is told of what was
// copied, chunk says how much is read at a time.
func (w *wire) run(to, from net.Conn, allow func(n int) bool, chunk func() int) {
	defer w.end()
	b := make([]byte, chunkSize)
	for {
		n, err := from.Read(b[:chunk()])
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
			if !allow(n) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// spoil does what the fault says, and reports whether the line goes on.
func (w *wire) spoil(f Fault, bad chan struct{}) bool {
	select {
	case <-bad:
	default:
		close(bad)
	}
	switch {
	case f.Hang:
		// Whoever waits for the other may give up and close: see that.
		go w.watch(w.near)
		go w.watch(w.far)
		<-w.over
		return false
	case f.Drip:
		select {
		case <-time.After(time.Second):
			return true
		case <-w.over:
			return false
		}
	}
	return false
}

// watch ends the wire when one end of it is closed; what comes is lost.
func (w *wire) watch(c net.Conn) {
	io.Copy(io.Discard, c) // its end is the news
	w.end()
}

// tcpLike is a pipe that fails as a TCP connection does.
type tcpLike struct{ net.Conn }

func (c *tcpLike) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == io.ErrClosedPipe {
		err = syscall.EPIPE
	}
	return n, err
}
