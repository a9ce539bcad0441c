package delivertest

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Relay stands before a real server at a loopback port and breaks one
// connection to it in the way that is asked for; the next one is well again.
type Relay struct {
	listener net.Listener
	server   string // host:port
	ended    sync.WaitGroup

	mu   sync.Mutex
	next relayFault
}

// relayFault is what happens to a connection.
type relayFault struct {
	after int // bytes of the client that pass before it; <0: all
	cut   bool
	// commits, if not 0, counts down the COMMITs that the server is asked for:
	// nobody hears of the last.
	commits int
	hold    bool
	done    chan struct{} // closed when the server has answered that one
}

// NewRelay stands before the server of a URL until t ends.
func NewRelay(t testing.TB, address string) *Relay {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{server: u.Host, next: relayFault{after: -1}}
	if r.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	r.ended.Go(r.serve)
	t.Cleanup(func() {
		r.Close()
		r.ended.Wait()
	})
	return r
}

// Close refuses connections from now on.
func (r *Relay) Close() { r.listener.Close() }

// Through is a URL of the server by way of the relay.
func (r *Relay) Through(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic("delivertest: " + err.Error())
	}
	u.Host = r.listener.Addr().String()
	return u.String()
}

// Break lets so many bytes of the next connection's client pass. Then it ends
// the connection, or nothing passes any more.
func (r *Relay) Break(after int, cut bool) {
	r.set(relayFault{after: after, cut: cut})
}

// Swallow keeps the answer to the n-th COMMIT of the next connection to itself,
// and ends the connection, or holds it until the client goes. The channel is
// closed when the server has committed.
func (r *Relay) Swallow(n int, hold bool) <-chan struct{} {
	done := make(chan struct{})
	r.set(relayFault{after: -1, commits: n, hold: hold, done: done})
	return done
}

func (r *Relay) set(f relayFault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = f
}

func (r *Relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			client.Close()
			continue
		}
		r.mu.Lock()
		fault := r.next
		r.next = relayFault{after: -1}
		r.mu.Unlock()
		asked := make(chan struct{}) // closed when the last COMMIT is on its way
		end := sync.OnceFunc(func() { client.Close(); server.Close() })
		r.ended.Go(func() {
			defer end()
			fault.ask(client, server, asked)
		})
		r.ended.Go(func() {
			if !fault.answer(server, client, asked) {
				end()
			}
		})
	}
}

// ask passes what the client sends.
func (f *relayFault) ask(client, server net.Conn, asked chan struct{}) {
	buf := make([]byte, 4<<10)
	for f.after != 0 {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if f.after > 0 {
			n = min(n, f.after)
			f.after -= n
		}
		if f.commits > 0 && bytes.Contains(buf[:n], []byte("COMMIT")) {
			if f.commits--; f.commits == 0 {
				close(asked)
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
	if !f.cut {
		io.Copy(io.Discard, client) // until it gives up
	}
}

// answer passes what the server sends, and reports whether the connection is
// to be held.
func (f *relayFault) answer(server, client net.Conn, asked chan struct{}) bool {
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return false
		}
		select {
		case <-asked:
			close(f.done)
			return f.hold
		default:
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return false
		}
	}
}
