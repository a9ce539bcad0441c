package fetch_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/fetch"
)

var obedient = fetch.Policy{Robots: true, Retries: 1}

// robotsSite serves a robots.txt and pages, and counts the requests for each.
func robotsSite(robots http.HandlerFunc) (http.HandlerFunc, *atomic.Int32, *atomic.Int32) {
	var asked, pages atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			asked.Add(1)
			robots(w, r)
			return
		}
		pages.Add(1)
		io.WriteString(w, "page")
	}, &asked, &pages
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s) }
}

func TestRobotsForbidsBeforeThePageIsAskedFor(t *testing.T) {
	h, asked, pages := robotsSite(text("User-agent: *\nDisallow: /private\n\nUser-agent: Other\nDisallow: /\n"))
	s := serve(t, h)
	f := newFetcher(t, quick)
	for range 20 {
		get(t, f, s.URL+"/public?q=1", obedient)
		fail := refuse(t, f, fetch.Request{URL: s.URL + "/private/x"}, obedient, fetch.FailRobots)
		if !strings.Contains(fail.Message, "/private/x") || fail.Tries != 1 {
			t.Errorf("%d tries, message %q", fail.Tries, fail.Message)
		}
	}
	if asked.Load() != 1 || pages.Load() != 20 {
		t.Errorf("robots.txt was asked for %d times and %d pages were, want 1 and 20", asked.Load(), pages.Load())
	}
	other := obedient
	other.UserAgent = "Other/2.0 (x)"
	refuse(t, f, fetch.Request{URL: s.URL + "/public"}, other, fetch.FailRobots)
	get(t, f, s.URL+"/private/x", fetch.Policy{}) // the switch is off
}

func TestRobotsIsAskedForOnceByManyAndAgainAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, asked, _ := robotsSite(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			io.WriteString(w, "User-agent: *\nAllow: /")
		})
		f := serveMemory(t, h, fetch.Options{})
		var all sync.WaitGroup
		all.Go(func() { fetchAll(t, f, 30, func(i int) string { return fmt.Sprint("http://a.example/", i) }, obedient) })
		synctest.Wait()
		if why := f.Why("a.example", time.Now()); !strings.Contains(why, "robots.txt") {
			t.Errorf("Why says %q", why)
		}
		all.Wait()
		if asked.Load() != 1 {
			t.Errorf("asked %d times, want once", asked.Load())
		}
		time.Sleep(time.Hour)
		get(t, f, "http://a.example/", obedient)
		if asked.Load() != 2 {
			t.Errorf("asked %d times after an hour, want twice", asked.Load())
		}
	})
}

// The call that asks for robots.txt is ended by its owner; those who wait for the
// answer must not be.
func TestRobotsOutlivesTheCallThatAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, asked, _ := robotsSite(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(2 * time.Second):
			case <-r.Context().Done():
			}
		})
		f := serveMemory(t, h, fetch.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := f.Do(ctx, fetch.Request{URL: "http://a.example/"}, obedient); err != context.DeadlineExceeded {
				t.Errorf("the impatient call got %v", err)
			}
		})
		synctest.Wait()
		fetchAll(t, f, 5, func(int) string { return "http://a.example/" }, obedient)
		all.Wait()
		if asked.Load() != 2 {
			t.Errorf("asked %d times, want twice", asked.Load())
		}
	})
}

func TestRobotsThatCannotBeHad(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   fetch.Failure // "" is a page
	}{
		{"404", http.NotFound, ""},
		{"rules beyond the first 500 KiB", text("User-agent: *\n" + strings.Repeat("# filler\n", 60_000) + "Disallow: /\n"), ""},
		{"403", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }, ""},
		{"empty", text(""), ""},
		{"an HTML page", text("<!doctype html><p>User-agent: * Disallow: /"), ""},
		{"redirects for ever", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/robots.txt", http.StatusFound) }, ""},
		{"500", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, fetch.FailRobots},
		{"503", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, fetch.FailTooMany},
		{"closed", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, fetch.FailConnect},
		{"a gigabyte", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "User-agent: *\nDisallow: /page\n")
			for range 1 << 14 {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, fetch.FailRobots},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, _, pages := robotsSite(c.answer)
			s := serve(t, h)
			f := newFetcher(t, quick)
			if c.want == "" {
				get(t, f, s.URL+"/page", obedient)
				return
			}
			refuse(t, f, fetch.Request{URL: s.URL + "/page"}, obedient, c.want)
			if pages.Load() != 0 {
				t.Error("the page was asked for all the same")
			}
		})
	}
}

func TestRobotsServerErrorForbidsForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var well atomic.Bool
		h, asked, _ := robotsSite(func(w http.ResponseWriter, r *http.Request) {
			if !well.Load() {
				w.WriteHeader(500)
			}
		})
		f := serveMemory(t, h, fetch.Options{})
		for range 5 {
			fail := refuse(t, f, fetch.Request{URL: "http://a.example/"}, obedient, fetch.FailRobots)
			if fail.Status != 500 {
				t.Errorf("status %d, want 500", fail.Status)
			}
		}
		if asked.Load() != 2 {
			t.Errorf("robots.txt was asked for %d times, want once and a retry", asked.Load())
		}
		well.Store(true)
		time.Sleep(time.Minute)
		get(t, f, "http://a.example/", obedient)
	})
}

func TestRobotsOfTheRedirectsTargetIsObeyed(t *testing.T) {
	h, _, pages := robotsSite(text("User-agent: *\nDisallow: /"))
	closed := serve(t, h)
	open := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			http.NotFound(w, r)
			return
		}
		http.Redirect(w, r, closed.URL+"/landing", http.StatusFound)
	})
	refuse(t, newFetcher(t, quick), fetch.Request{URL: open.URL}, obedient, fetch.FailRobots)
	if pages.Load() != 0 {
		t.Error("the forbidden page was asked for")
	}
}

func TestCrawlDelay(t *testing.T) {
	for delay, want := range map[string]time.Duration{"2": 2 * time.Second, "0.5": 500 * time.Millisecond, "86400": 30 * time.Second, "1e300": 30 * time.Second, "inf": 30 * time.Second, "nan": 0, "-3": 0, "soon": 0} {
		synctest.Test(t, func(t *testing.T) {
			var v visits
			h, _, _ := robotsSite(text("User-agent: Shoal\nCrawl-delay: " + delay + "\nDisallow:\n\nUser-agent: *\nDisallow: /"))
			f := serveMemory(t, func(w http.ResponseWriter, r *http.Request) { v.begin(); v.end(); h(w, r) }, fetch.Options{})
			fetchAll(t, f, 4, func(int) string { return "http://a.example/" }, obedient)
			// The first start is robots.txt itself, before the delay is known.
			if gap := v.gaps(); gap < want || gap > want+5*time.Millisecond || len(v.starts) != 5 {
				t.Errorf("Crawl-delay %s: the gap is %s over %d requests, want %s", delay, gap, len(v.starts), want)
			}
		})
	}
}

// A robots.txt that cannot be had anew keeps its rules for a day, and no page is
// lost to the failure.
func TestRobotsKeepsItsRulesWhileItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		h, asked, _ := robotsSite(func(w http.ResponseWriter, r *http.Request) {
			if broken.Load() {
				w.WriteHeader(500)
				return
			}
			io.WriteString(w, "User-agent: *\nDisallow: /private")
		})
		f := serveMemory(t, h, fetch.Options{})
		get(t, f, "http://a.example/", obedient)
		broken.Store(true)
		for range 3 {
			time.Sleep(time.Hour)
			get(t, f, "http://a.example/", obedient)
			refuse(t, f, fetch.Request{URL: "http://a.example/private"}, obedient, fetch.FailRobots)
		}
		if n := asked.Load(); n != 7 {
			t.Errorf("asked %d times, want once and twice for each hour", n)
		}
		time.Sleep(23 * time.Hour)
		fail := refuse(t, f, fetch.Request{URL: "http://a.example/"}, obedient, fetch.FailRobots)
		if fail.Status != 500 || fail.RetryAfter != time.Minute {
			t.Errorf("after a day: %+v, want the site forbidden for a minute", fail)
		}
	})
}
