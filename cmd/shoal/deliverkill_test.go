package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/fixtures"
	"shoal/internal/pgtest"
)

// everywhere are the other sides of all channels of a squid. They note what
// arrived by channel, under what the other side can tell a repeat by, and may
// be had to keep their answers back.
type everywhere struct {
	t      *testing.T
	mu     sync.Mutex
	got    map[string][]string
	hold   chan struct{} // while open, nobody is answered
	arrive chan struct{}

	hook, slack string
	post        *delivertest.PostOffice
	s3          *delivertest.S3
	sftp        *delivertest.SFTP
}

func newEverywhere(t *testing.T) *everywhere {
	e := &everywhere{t: t, got: map[string][]string{}, hold: make(chan struct{}), arrive: make(chan struct{}, 1000)}
	receive := func(channel string) string {
		return site(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			e.note(channel, r.Header.Get("X-Shoal-Delivery"))
		}))
	}
	e.hook, e.slack = receive("webhook"), receive("slack")
	e.post = delivertest.NewPostOffice(t, "starttls")
	e.post.TakeData = func(_ *delivertest.Session, text []byte) error {
		m, err := mail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			return err
		}
		e.note("email", m.Header.Get("Message-ID"))
		return nil
	}
	e.s3 = delivertest.NewS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return false
		}
		// The bucket has the file before the answer goes out.
		answer := httptest.NewRecorder()
		e.s3.Answer(answer, r)
		e.note("s3", r.URL.Path)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
		return true
	})
	e.sftp = delivertest.NewSFTP(t)
	e.sftp.Renamed = func(name string) { e.note("sftp", name) }
	t.Cleanup(e.release)
	return e
}

// everyChannel are those that everywhere stands for.
var everyChannel = []string{"email", "s3", "sftp", "slack", "webhook"}

// note notes an arrival and keeps the answer back while it is held.
func (e *everywhere) note(channel, id string) {
	e.mu.Lock()
	e.got[channel] = append(e.got[channel], id)
	hold := e.hold
	e.mu.Unlock()
	e.arrive <- struct{}{}
	<-hold
}

// release lets all that is held be answered, now and from now on.
func (e *everywhere) release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.hold:
	default:
		close(e.hold)
	}
}

// await waits until each channel has had n arrivals.
func (e *everywhere) await(n int) {
	e.t.Helper()
	deadline := time.After(3 * time.Minute)
	for {
		e.mu.Lock()
		missing := slices.ContainsFunc(everyChannel, func(c string) bool { return len(e.got[c]) < n })
		got := len(e.got)
		e.mu.Unlock()
		if !missing {
			return
		}
		select {
		case <-e.arrive:
		case <-deadline:
			e.t.Fatalf("arrivals at %d channels: %v, want %d at each of %v", got, e.got, n, everyChannel)
		}
	}
}

// check sees that each channel had n arrivals, all of the same delivery.
func (e *everywhere) check(n int) {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range everyChannel {
		ids := slices.Clone(e.got[c])
		if slices.Sort(ids); len(ids) != n || len(slices.Compact(ids)) != 1 {
			e.t.Errorf("%s: arrived as %v, want %d times under one name", c, e.got[c], n)
		}
	}
}

// flags are those of a server that can reach them.
func (e *everywhere) flags() []string {
	ca := filepath.Join(e.t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, e.post.CA, 0o600); err != nil {
		e.t.Fatal(err)
	}
	return []string{"--allow-private-deliveries", "--smtp-host", "127.0.0.1", "--smtp-port", strconv.Itoa(e.post.Port), "--smtp-ca", ca,
		"--smtp-user", delivertest.User, "--smtp-password", delivertest.Password, "--smtp-from", "Shoal <shoal@mail.test>"}
}

// squid makes a squid that is delivered everywhere.
func (e *everywhere) squid(s *server, target string) string {
	e.t.Helper()
	ctx, api := e.t.Context(), s.client()
	made, err := api.CreateSquid(ctx, "website", "")
	if err != nil {
		e.t.Fatal(err)
	}
	if err := api.UpdateSquid(ctx, made.ID, map[string]any{"params": map[string]any{"max_pages": 1}}); err != nil {
		e.t.Fatal(err)
	}
	if _, err := api.AddTasks(ctx, made.ID, []map[string]any{{"url": target}}); err != nil {
		e.t.Fatal(err)
	}
	sftp := e.sftp.Fields()
	_, err = api.SetDelivery(ctx, made.ID, map[string]any{
		"email": "me@example.com", "notifications": true, "webhook_fields": map[string]any{"url": e.hook},
		"slack_fields": map[string]any{"url": e.slack}, "s3_fields": e.s3.Fields(), "ftp_fields": sftp,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return made.ID
}

// TestKilledWhileEachChannelSends kills the server when every channel's other
// side has the delivery and none has answered: each has it once more, under the
// same name, and never again.
func TestKilledWhileEachChannelSends(t *testing.T) {
	for name, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.Database(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEverywhere(t)
			srv := newServer(t, t.TempDir(), database(), e.flags()...)
			srv.start()
			run, err := srv.client().StartRun(t.Context(), e.squid(srv, site(t, fixtures.Static())+"/"))
			if err != nil {
				t.Fatal(err)
			}
			e.await(1)
			srv.kill()
			e.release()
			srv.start()
			e.await(2)
			settled(t, srv, run.ID, len(everyChannel))
			e.check(2)
		})
	}
}

// settled waits until the run's deliveries are n and all are delivered.
func settled(t *testing.T, srv *server, run string, n int) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		p, err := srv.client().Deliveries(t.Context(), run, "", "", client.Window{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		open := slices.ContainsFunc(p.Data, func(d client.Delivery) bool { return d.Status != "delivered" })
		if !open && len(p.Data) == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log: %+v, want %d deliveries that are delivered", p.Data, n)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// TestDiskFullWhileDelivering fills the server's disk while every channel's
// other side has the delivery: what cannot be recorded is when there is room,
// and nothing is sent again.
func TestDiskFullWhileDelivering(t *testing.T) {
	t.Parallel()
	data := smallDisk(t, 160)
	e := newEverywhere(t)
	srv := newServer(t, data, "", append(e.flags(), "--min-free", "0")...)
	srv.start()
	run, err := srv.client().StartRun(t.Context(), e.squid(srv, site(t, fixtures.Static())+"/"))
	if err != nil {
		t.Fatal(err)
	}
	e.await(1)
	filler := filepath.Join(data, "filler")
	fill(t, filler)
	e.release()
	srv.awaitLog("full", 30*time.Second)
	if _, err := srv.client().Me(t.Context()); err != nil {
		t.Errorf("the server on a full disk: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	settled(t, srv, run.ID, len(everyChannel))
	e.check(1)
}
