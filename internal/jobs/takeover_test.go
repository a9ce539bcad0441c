package jobs_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shoal/internal/jobs"
)

// childOrders holds, in the environment of a child process, its orders as JSON.
const childOrders = "SHOAL_JOBS_TEST_CHILD"

// orders tell a child process what to work on.
type orders struct {
	Database  database
	Heartbeat time.Duration
	// Linger makes a handler whose job is lost return only once the next
	// attempt of the job has started.
	Linger bool
}

// quick is a heartbeat by which a client is dead after two seconds: long enough
// for a busy machine not to bury the living.
const quick = 500 * time.Millisecond

// TestMain makes a second process of this binary a worker that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv(childOrders) != "" {
		if err := childWork(); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// childWork works slots with a handler that says "started", then waits until
// its context ends, its process does or SIGUSR1 lets it finish, and says which.
func childWork() error {
	var o orders
	if err := json.Unmarshal([]byte(os.Getenv(childOrders)), &o); err != nil {
		return err
	}
	db, err := o.Database.open()
	if err != nil {
		return err
	}
	client, err := jobs.Open(jobs.Options{
		DB: db, Dialect: o.Database.Dialect, Owner: "child", SlotWorkers: 2, OtherWorkers: 1,
		Heartbeat: o.Heartbeat, StopTimeout: quick,
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	finish := make(chan os.Signal, 1)
	signal.Notify(finish, syscall.SIGUSR1)
	var attempts atomic.Int32
	next := make(chan struct{})
	return client.Run(ctx, map[jobs.Kind]jobs.Handler{
		jobs.KindSlot: func(ctx context.Context, _ json.RawMessage) (jobs.Outcome, error) {
			fmt.Println("started")
			if attempts.Add(1) == 2 {
				close(next)
			}
			select {
			case <-finish:
				fmt.Println("finished")
				return jobs.Done, nil
			case <-ctx.Done():
			}
			lost := errors.Is(context.Cause(ctx), jobs.ErrLost)
			fmt.Println("ended", lost)
			if lost {
				if o.Linger {
					<-next
					fmt.Println("lingered")
				}
				return jobs.Done, nil // must count for nothing
			}
			return jobs.Done, ctx.Err()
		},
		jobs.KindPurge: func(context.Context, json.RawMessage) (jobs.Outcome, error) { return jobs.Done, nil },
	})
}

// child is a worker process under way.
type child struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func startChild(t *testing.T, o orders) *child {
	t.Helper()
	env, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childOrders+"="+string(env))
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

// expect reads the child's next line.
func (c *child) expect(t *testing.T, want string) {
	t.Helper()
	if !c.out.Scan() || c.out.Text() != want {
		t.Fatalf("the child said %q, want %q", c.out.Text(), want)
	}
}

// expectBoth fails unless the child's next two lines are a and b, in any order:
// two of its goroutines say them.
func (c *child) expectBoth(t *testing.T, a, b string) {
	t.Helper()
	if c.out.Scan() && c.out.Text() == b {
		a, b = b, a
	} else if c.out.Text() != a {
		t.Fatalf("the child said %q, want %q or %q", c.out.Text(), a, b)
	}
	c.expect(t, b)
}

func (c *child) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// terminate stops the child in an orderly way: before it goes, it records how
// its jobs ended.
func (c *child) terminate(t *testing.T) {
	t.Helper()
	c.signal(t, syscall.SIGTERM)
	for c.out.Scan() { // its last words
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("the child stopped with %v", err)
	}
}

func heartbeat(every time.Duration) func(*jobs.Options) {
	return func(o *jobs.Options) { o.Heartbeat = every }
}

func TestJobsOfAKilledProcessAreTakenOver(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p := d.client(t, "heir", heartbeat(quick))
		p.enqueue(t, jobs.New(jobs.KindSlot, jobs.SlotArgs{Run: "r"}))
		c := startChild(t, orders{Database: d, Heartbeat: quick})
		c.expect(t, "started")
		worked := make(chan string, 2)
		p.run(t, map[jobs.Kind]jobs.Handler{jobs.KindSlot: done(worked)})
		c.signal(t, syscall.SIGKILL)
		killed := time.Now()
		receive(t, worked, "take-over")
		t.Logf("taken over %s after kill -9, with a heartbeat of %s", time.Since(killed).Round(time.Millisecond), quick)
		p.mustStop(t)
		p.wantStates(t, "completed")
		if got := p.rows(t)[0].Attempt; got != 2 || len(worked) != 0 {
			t.Errorf("the job had %d attempts and %d more workings, want 2 and none", got, len(worked))
		}
	})
}

// TestProcessThatStoodStillIsFenced stops a process with SIGSTOP until another
// has taken its job over, and lets it go on: its handler must be told, and what
// it answers must not end the job that the other now works.
func TestProcessThatStoodStillIsFenced(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p := d.client(t, "heir", heartbeat(quick))
		p.enqueue(t, jobs.New(jobs.KindSlot, jobs.SlotArgs{Run: "r"}))
		c := startChild(t, orders{Database: d, Heartbeat: quick})
		c.expect(t, "started")
		c.signal(t, syscall.SIGSTOP)

		started, finish := make(chan struct{}, 2), make(chan struct{})
		p.run(t, map[jobs.Kind]jobs.Handler{jobs.KindSlot: func(ctx context.Context, _ json.RawMessage) (jobs.Outcome, error) {
			started <- struct{}{}
			select {
			case <-finish:
				return jobs.Done, nil
			case <-ctx.Done():
				return jobs.Done, ctx.Err()
			}
		}})
		receive(t, started, "take-over")
		c.signal(t, syscall.SIGCONT)
		c.expect(t, "ended true")
		c.terminate(t)
		p.wantStates(t, "running")
		close(finish)
		p.mustStop(t)
		p.wantStates(t, "completed")
		if len(started) != 0 {
			t.Error("the job was worked a third time")
		}
	})
}

// TestProcessThatDoesNotKnowIsFenced has a process end a job as done that was
// taken over, before it has learned so: its heartbeat is an hour. The heir's is
// slower than elsewhere: on a busy machine it must not miss its own.
func TestProcessThatDoesNotKnowIsFenced(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p := d.client(t, "heir", heartbeat(6*quick))
		p.enqueue(t, jobs.New(jobs.KindSlot, jobs.SlotArgs{Run: "r"}))
		c := startChild(t, orders{Database: d, Heartbeat: time.Hour})
		c.expect(t, "started")
		started, finish := make(chan struct{}, 2), make(chan struct{})
		p.run(t, map[jobs.Kind]jobs.Handler{jobs.KindSlot: func(context.Context, json.RawMessage) (jobs.Outcome, error) {
			started <- struct{}{}
			<-finish
			return jobs.Again, nil
		}})
		receive(t, started, "take-over")
		c.signal(t, syscall.SIGUSR1)
		c.expect(t, "finished")
		c.terminate(t)
		p.wantStates(t, "running")
		close(finish)
		receive(t, started, "successor")
		p.mustStop(t)
	})
}

// TestProcessThatStoodStillFencesItself has a process claim the very job again
// that was requeued while it stood still: what its earlier attempt answers must
// not end the later one.
func TestProcessThatStoodStillFencesItself(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p := d.client(t, "undertaker", func(o *jobs.Options) { // it works no slots
			o.Heartbeat, o.SlotWorkers = quick, 0
		})
		p.enqueue(t, jobs.New(jobs.KindSlot, jobs.SlotArgs{Run: "r"}))
		c := startChild(t, orders{Database: d, Heartbeat: quick, Linger: true})
		c.expect(t, "started")
		c.signal(t, syscall.SIGSTOP)
		p.run(t, map[jobs.Kind]jobs.Handler{jobs.KindFinish: done(nil)})
		p.awaitState(t, 0, "available")
		p.mustStop(t) // nobody shall bury the child once more
		c.signal(t, syscall.SIGCONT)
		c.expectBoth(t, "ended true", "started")
		c.expect(t, "lingered")
		// River records endings in batches: once a job that ended later is
		// recorded, so is what the lost attempt answered.
		p.enqueue(t, jobs.New(jobs.KindPurge, jobs.PurgeArgs{}))
		p.awaitState(t, 1, "completed")
		p.wantStates(t, "running", "completed")
		c.terminate(t)
		p.wantStates(t, "available", "completed")
		if r := p.rows(t)[0]; r.Errors {
			t.Errorf("the job is %+v, want no failure of the lost attempt kept", r)
		}
	})
}

func TestExclusiveStartRequeuesAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p := d.client(t, "restarted", func(o *jobs.Options) { o.Exclusive = true }) // a heartbeat of 5 s
		p.enqueue(t, jobs.New(jobs.KindSlot, jobs.SlotArgs{Run: "r"}))
		c := startChild(t, orders{Database: d, Heartbeat: quick})
		c.expect(t, "started")
		c.signal(t, syscall.SIGKILL)
		_ = c.cmd.Wait()
		worked := make(chan string, 2)
		began := time.Now()
		p.run(t, map[jobs.Kind]jobs.Handler{jobs.KindSlot: done(worked)})
		receive(t, worked, "requeued job")
		took := time.Since(began)
		t.Logf("the job of the killed process ran %s after the start", took.Round(time.Millisecond))
		if took > time.Second {
			t.Errorf("requeueing took %s, want at most 1 s", took)
		}
		p.mustStop(t)
		p.wantStates(t, "completed")
	})
}

// TestStopKeepsWhatHandlersFinish has a handler end its work when it is told
// to: the job is complete, and its successor waits for the next start.
func TestStopKeepsWhatHandlersFinish(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p := d.client(t, "one", func(o *jobs.Options) { o.StopTimeout = 100 * time.Millisecond })
		started := make(chan struct{})
		p.run(t, map[jobs.Kind]jobs.Handler{jobs.KindSlot: func(ctx context.Context, _ json.RawMessage) (jobs.Outcome, error) {
			close(started)
			<-ctx.Done()
			return jobs.Again, nil
		}})
		p.enqueue(t, jobs.New(jobs.KindSlot, jobs.SlotArgs{}))
		receive(t, started, "job")
		p.mustStop(t)
		p.wantStates(t, "completed", "available")
	})
}

func TestStopEndsHandlersAfterItsTimeout(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p := d.client(t, "one", func(o *jobs.Options) { o.StopTimeout = 100 * time.Millisecond })
		started := make(chan struct{})
		p.run(t, map[jobs.Kind]jobs.Handler{jobs.KindSlot: func(ctx context.Context, _ json.RawMessage) (jobs.Outcome, error) {
			close(started)
			<-ctx.Done()
			return jobs.Done, fmt.Errorf("fetch: %w", ctx.Err())
		}})
		p.enqueue(t, jobs.New(jobs.KindSlot, jobs.SlotArgs{}))
		receive(t, started, "job")
		p.mustStop(t)
		p.wantStates(t, "available")
		if r := p.rows(t)[0]; r.Attempt != 0 || r.Errors {
			t.Errorf("the interrupted job is %+v, want no attempt and no error counted", r)
		}
		if strings.Contains(p.Log.String(), "job failed") {
			t.Errorf("the stop is logged as a failure:\n%s", p.Log)
		}
		var clients int
		if err := p.DB.QueryRow("SELECT count(*) FROM job_clients").Scan(&clients); err != nil || clients != 0 {
			t.Errorf("%d clients are left (%v), want none", clients, err)
		}
	})
}

// TestStopDoesNotWaitForEver has a handler that ignores its context.
func TestStopDoesNotWaitForEver(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		p := d.client(t, "one", func(o *jobs.Options) { o.StopTimeout = 100 * time.Millisecond })
		started, finish := make(chan struct{}), make(chan struct{})
		p.run(t, map[jobs.Kind]jobs.Handler{jobs.KindSlot: func(context.Context, json.RawMessage) (jobs.Outcome, error) {
			close(started)
			<-finish
			return jobs.Done, nil
		}})
		p.enqueue(t, jobs.New(jobs.KindSlot, jobs.SlotArgs{}))
		receive(t, started, "job")
		err := p.stop()
		if err == nil || !strings.Contains(err.Error(), "1 handlers did not return") {
			t.Errorf("Run returned %v, want an error that counts the handler", err)
		}
		p.wantStates(t, "available")
		close(finish)
	})
}
