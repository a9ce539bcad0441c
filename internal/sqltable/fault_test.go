package sqltable_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/mariatest"
	"shoal/internal/sqltable"
)

// servers runs a test on the databases that are reached over a line. The limits
// are short, so that the test is.
func servers(t *testing.T, test func(t *testing.T, s *side, l *delivertest.Relay)) {
	for _, name := range []string{"postgres", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			s := newSide(t, name, sqltable.Options{Dial: dialer.DialContext, Connect: 2 * time.Second, Lock: time.Second, Stall: 2 * time.Second})
			test(t, s, delivertest.NewRelay(t, s.url))
		})
	}
}

func (s *side) try(ctx context.Context, c sqltable.Config, rows sqltable.Rows) error {
	_, err := s.Load(ctx, &sqltable.Job{Config: c, Workspace: workspace, Attributes: attributes, Rows: rows})
	return err
}

// TestFaults: a line that breaks, however it does, leaves the table as it was,
// and the next attempt brings all rows once.
func TestFaults(t *testing.T) {
	const n = 3000
	for name, fault := range map[string]struct {
		after int
		cut   bool
		is    func(error) bool
	}{
		"cut at the start": {0, true, func(err error) bool {
			return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
		}},
		"cut in the middle":   {1 << 20, true, nil},
		"hangs at the start":  {0, false, stalled},
		"hangs in the middle": {1 << 20, false, stalled},
	} {
		t.Run(name, func(t *testing.T) {
			servers(t, func(t *testing.T, s *side, l *delivertest.Relay) {
				modes := []func(*sqltable.Config){upsert, insert, replace}
				if !fault.cut {
					modes = modes[2:] // it is waited for each time
				}
				for _, mode := range modes {
					c := s.config("things", mode)
					s.load(t, c, rows(result(1, "before", `{"title":"before"}`)))
					broken := c
					broken.URL = l.Through(s.url)
					l.Break(fault.after, fault.cut)
					began := time.Now()
					err := s.try(t.Context(), broken, many(n, 2))
					if err == nil || fault.is != nil && !fault.is(err) {
						t.Errorf("%s: the load ended with %v", c.Mode, err)
					}
					if took := time.Since(began); took > 20*time.Second {
						t.Errorf("%s: it took %s", c.Mode, took)
					}
					s.expect(t, "SELECT COUNT(*), MAX(title) FROM things", "1|before")
					for range 2 {
						s.load(t, broken, many(n, 2))
						want := "3001"
						if c.Mode == sqltable.Replace {
							want = "3000"
						}
						s.expect(t, "SELECT COUNT(*) FROM things", want)
					}
					s.exec(t, "DROP TABLE things")
				}
				s.idle(t)
			})
		})
	}
	t.Run("down", func(t *testing.T) {
		servers(t, func(t *testing.T, s *side, l *delivertest.Relay) {
			c := s.config("things")
			c.URL = l.Through(s.url)
			l.Close()
			if err := s.try(t.Context(), c, rows()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("the load ended with %v", err)
			}
		})
	})
}

func stalled(err error) bool {
	_, ok := errors.AsType[*sqltable.Stalled](err)
	return ok
}

// idle waits until no session of a load is left at the server.
func (s *side) idle(t *testing.T) {
	t.Helper()
	query := map[string]string{
		"postgres": "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'shoal' AND datname = current_database()",
		"mariadb":  "SELECT COUNT(*) - 1 FROM information_schema.PROCESSLIST WHERE DB = DATABASE()",
	}[s.name]
	s.db.SetMaxOpenConns(1)
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		got := s.all(t, query)
		if got == "0" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s sessions are left at the server", got)
		}
	}
}

// TestUnansweredCommit has the server commit and nobody hear of it, as when this
// process dies before it records what it did: the repeat leaves the same table.
func TestUnansweredCommit(t *testing.T) {
	servers(t, func(t *testing.T, s *side, l *delivertest.Relay) {
		for _, mode := range []func(*sqltable.Config){upsert, insert, replace} {
			c := s.config("things", mode)
			s.load(t, c, rows())
			c.URL = l.Through(s.url)
			l.Swallow(map[string]int{"postgres": 3, "mariadb": 1}[s.name], false) // the table; what goes ON COMMIT; the rows
			if err := s.try(t.Context(), c, many(700, 1)); err == nil {
				t.Fatal("the load ended well")
			}
			s.idle(t)
			s.expect(t, "SELECT COUNT(*) FROM things", "700")
			s.load(t, c, many(700, 1))
			s.expect(t, "SELECT COUNT(*), COUNT(DISTINCT shoal_id) FROM things", "700|700")
			s.exec(t, "DROP TABLE things")
		}
	})
}

// TestLocked: a table that somebody holds is waited for, for a while.
func TestLocked(t *testing.T) {
	each(t, func(t *testing.T, s *side) {
		s = newSide(t, s.name, sqltable.Options{Dial: dialer.DialContext, Lock: time.Second})
		c := s.config("things")
		s.load(t, c, rows(result(1, "bolt", bolt)))
		conn, err := s.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, text := range map[string][]string{
			"postgres": {"BEGIN", "SELECT * FROM things FOR UPDATE"},
			"mariadb":  {"BEGIN", "SELECT * FROM things FOR UPDATE"},
			"sqlite":   {"BEGIN IMMEDIATE"},
		}[s.name] {
			if _, err := conn.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if e := s.refuses(t, c, rows(result(2, "bolt", bolt2)), "locked by another"); e.Final {
			t.Errorf("%v is final", e)
		}
		if took := time.Since(began); took < 900*time.Millisecond || took > 10*time.Second {
			t.Errorf("it was waited for %s, want a second", took)
		}
		if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		s.load(t, c, rows(result(2, "bolt", bolt2)))
		s.expect(t, "SELECT title FROM things", "Bolt, longer")
	})
}

// TestCancelled ends a load that waits for a lock: it ends at once, at the
// server too.
func TestCancelled(t *testing.T) {
	for _, name := range []string{"postgres", "mariadb", "sqlite"} {
		t.Run(name, func(t *testing.T) {
			s := newSide(t, name, sqltable.Options{Dial: dialer.DialContext, Lock: time.Minute})
			c := s.config("things")
			s.load(t, c, rows(result(1, "bolt", bolt)))
			conn, err := s.db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			begin := "BEGIN; UPDATE things SET title = 'held'"
			if name == "sqlite" {
				begin = "BEGIN IMMEDIATE"
			}
			if _, err := conn.ExecContext(t.Context(), begin); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := s.try(ctx, c, rows(result(2, "bolt", bolt2))); err == nil {
				t.Error("the load ended well")
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s to end", took)
			}
			if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if name != "sqlite" {
				s.idle(t)
			}
			s.expect(t, "SELECT title FROM things", "Bolt")
		})
	}
}

// TestRefusals: what the server says is passed on, with what to do, and without
// the password.
func TestRefusals(t *testing.T) {
	servers(t, func(t *testing.T, s *side, _ *delivertest.Relay) {
		user := s.stranger(t)
		change := func(set func(*url.URL)) sqltable.Config {
			u, err := url.Parse(user)
			if err != nil {
				t.Fatal(err)
			}
			set(u)
			c := s.config("things")
			c.URL = u.String()
			return c
		}
		for name, c := range map[string]struct {
			config sqltable.Config
			says   string
		}{
			"wrong password": {change(func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "wr0ng-secret") }), "password"},
			"no database":    {change(func(u *url.URL) { u.Path = "/nowhere" }), "database"},
			"no right":       {change(func(*url.URL) {}), "Grant"},
			"no TLS":         {change(func(u *url.URL) { u.RawQuery = "sslmode=verify-full" }), "TLS"},
		} {
			if name == "wrong password" && s.name == "postgres" {
				continue // the test's server trusts everybody
			}
			err := s.try(t.Context(), c.config, rows(result(1, "bolt", bolt)))
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
			if e, ok := errors.AsType[*sqltable.Error](err); ok && e.Final {
				t.Errorf("%s: %v is final, and somebody may mend it", name, err)
			}
		}
	})
}

// stranger makes a user who may log in and nothing else.
func (s *side) stranger(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	name := "guest_" + strings.ToLower(string(shoal.NewID[shoal.RunID]()))[20:]
	if s.name == "postgres" {
		s.exec(t, "CREATE ROLE "+name+" LOGIN PASSWORD 'secret'; REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC")
		t.Cleanup(func() { s.db.ExecContext(context.WithoutCancel(t.Context()), "DROP ROLE "+name) })
	} else {
		mariatest.Root(t, "CREATE USER "+name+" IDENTIFIED BY 'secret'")
		mariatest.Root(t, "GRANT SELECT ON "+u.Path[1:]+".* TO "+name)
		t.Cleanup(func() { mariatest.Root(t, "DROP USER "+name) })
	}
	u.User = url.UserPassword(name, "secret")
	return u.String()
}
