package deliver_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/export"
	"shoal/internal/sheetstest"
	"shoal/internal/store/storetest"
)

// sheetSide is a Google at the end of a line.
func sheetSide(t *testing.T, l *delivertest.Line) *otherSide {
	google := sheetstest.New("http://127.0.0.1:1")
	delivertest.ServeHTTP(t, l, google)
	key, book := google.ServiceAccount(robot), google.NewBook("Prices", robot)
	refuse := func(no bool) {
		google.SetFault(func(method string, _ int) *sheetstest.Fault {
			if no && method == sheetstest.Update {
				return &sheetstest.Fault{Code: 403, Status: "PERMISSION_DENIED", Message: "The caller does not have permission"}
			}
			return nil
		})
	}
	n := 0
	return &otherSide{channel: shoal.ChannelSheet, fields: map[string]any{"url": book.URL(), "credentials": key}, refuse: refuse, refused: "press Share",
		set: func(o *deliver.Options) {
			o.Google.Endpoint = google.URL
			o.Columns = func(context.Context, *shoal.Run) ([]shoal.Attribute, error) {
				return []shoal.Attribute{{Name: "name"}}, nil
			}
			o.Rows = func(context.Context, *shoal.Run) export.Rows { return func(func(*shoal.Result, error) bool) {} }
		},
		arrived: func() int {
			if rows := book.Rows("Sheet1"); len(rows) == 1 && len(book.Tabs()) == 1 {
				book.Edit("Sheet1", func([][]any) [][]any { return nil })
				n++
			}
			return n
		}, middle: 1300, patience: 191 * time.Second, drips: 191 * time.Second}
}

// modes are the two ways of the channel.
var modes = []bool{false, true}

// TestFaultsOfSheets: whatever goes wrong, the log says what, nothing is given
// up at once, and when it is mended the sheet holds each row once.
func TestFaultsOfSheets(t *testing.T) {
	e := storetest.SQLite(t)
	at := func(method string, n int, f sheetstest.Fault) func(string, int) *sheetstest.Fault {
		return func(m string, k int) *sheetstest.Fault {
			if m == method && k >= n {
				return &f
			}
			return nil
		}
	}
	refusal := sheetstest.Fault{Code: 403, Status: "PERMISSION_DENIED", Message: "You are trying to edit a protected cell or object."}
	for name, c := range map[string]struct {
		fault  func(method string, n int) *sheetstest.Fault
		detail string
		status int
	}{
		"no token":           {at(sheetstest.Token, 1, sheetstest.Fault{Drop: true}), "closed the connection", 0},
		"tokens stumble":     {at(sheetstest.Token, 1, sheetstest.Fault{Code: 503, Reason: "internal_failure", Message: "Backend Error"}), "Google gave no access (503 internal_failure", 503},
		"down at the start":  {at(sheetstest.Get, 1, sheetstest.Fault{Drop: true}), "closed the connection", 0},
		"stumbles":           {at(sheetstest.Get, 1, sheetstest.Fault{Code: 500, Status: "INTERNAL", Message: "Internal error encountered."}), "Google stumbled (500 INTERNAL). Google says: Internal error", 500},
		"down in the middle": {at(sheetstest.Update, 2, sheetstest.Fault{Drop: true}), "closed the connection", 0},
		"lost in the middle": {at(sheetstest.Update, 2, sheetstest.Fault{DropAfter: true}), "closed the connection", 0},
		"refuses":            {at(sheetstest.Update, 1, refusal), "protected: let " + robot + " edit them", 403},
		"refuses in the middle": {at(sheetstest.Update, 2, sheetstest.Fault{Code: 403, Status: "PERMISSION_DENIED", Message: "The caller does not have permission"}),
			robot + " may not write to the spreadsheet: open it, press Share", 403},
		"API off": {at(sheetstest.Get, 1, sheetstest.Fault{Code: 403, Status: "PERMISSION_DENIED", Reason: "SERVICE_DISABLED", Message: "Google Sheets API has not been used in project 1 before"}),
			"switched off in the project", 403},
	} {
		for _, add := range modes {
			t.Run(fmt.Sprintf("%s/append %v", name, add), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, e, nil)
				d.to(map[string]any{"append": add})
				d.arrives(d.collect(named("old 1", "old 2")))
				before := d.book.Rows("Sheet1")
				run := d.collectMade(5500)
				d.google.SetFault(c.fault)
				got := d.send(run)
				if got.Status != shoal.DeliveryPending || !strings.Contains(got.Detail, c.detail) || got.StatusCode != c.status {
					t.Fatalf("%s %d %q, want %d %q", got.Status, got.StatusCode, got.Detail, c.status, c.detail)
				}
				if now := d.book.Rows("Sheet1"); !add && cmp.Diff(before, now) != "" {
					t.Errorf("the sheet has %d rows now, not what was there before", len(now))
				}
				d.google.SetFault(nil)
				d.arrives(run)
				d.wantAll(add, 5500)
			})
		}
	}
}

// wantAll checks that each of the n rows is there once, below the old ones if
// they are to stay.
func (d *desk) wantAll(add bool, n int) {
	d.t.Helper()
	names := column(d.t, d.book.Rows("Sheet1"), "name")
	var want []any
	if add {
		want = texts("old 1", "old 2")
	}
	for i := range n {
		want = append(want, fmt.Sprintf("row %06d", i))
	}
	if !slices.Equal(want, names) {
		d.t.Errorf("%d names, from %v to %v, want %d", len(names), names[0], names[len(names)-1], len(want))
	}
	if tabs := d.book.Tabs(); len(tabs) != 1 {
		d.t.Errorf("tabs %v were left", tabs)
	}
}

// TestSheetLostOnce: one broken connection or stumble is made good within the
// attempt, also when the request had been done.
func TestSheetLostOnce(t *testing.T) {
	e := storetest.SQLite(t)
	for _, method := range []string{sheetstest.Get, sheetstest.Update, sheetstest.BatchGet, sheetstest.ValuesGet} {
		for name, f := range map[string]sheetstest.Fault{"before": {Drop: true}, "after": {DropAfter: true}, "502": {Code: 502, Status: "", Message: "Bad Gateway"}} {
			for _, add := range modes {
				t.Run(fmt.Sprintf("%s/%s/append %v", method, name, add), func(t *testing.T) {
					t.Parallel()
					d := newDesk(t, e, nil)
					d.to(map[string]any{"append": add})
					d.arrives(d.collect(named("old 1", "old 2")))
					run := d.collectMade(6000)
					d.google.SetFault(func(m string, n int) *sheetstest.Fault {
						if m == method && n == 1 {
							return &f
						}
						return nil
					})
					d.arrives(run)
					d.wantAll(add, 6000)
				})
			}
		}
	}
}

// TestSheetSwapLost: the answer to the request that puts the new rows in place
// is lost. It was done, and is not tried again.
func TestSheetSwapLost(t *testing.T) {
	d := newDesk(t, storetest.SQLite(t), nil)
	d.to(nil)
	d.arrives(d.collect(named("old 1")))
	run := d.collectMade(3)
	d.google.SetFault(func(m string, n int) *sheetstest.Fault {
		if m == sheetstest.BatchUpdate && n == 3 { // a tab to gather in, its rows, the swap
			return &sheetstest.Fault{DropAfter: true}
		}
		return nil
	})
	d.arrives(run)
	d.wantAll(false, 3)
	if calls := d.google.Calls(); calls[len(calls)-1].Method != sheetstest.Get {
		t.Errorf("the last call is %v, not a look at what was done", calls[len(calls)-1])
	}
}

// TestSheetKilled: a process that dies between writing and recording writes
// once more, and the sheet has each row once.
func TestSheetKilled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		for _, add := range modes {
			d := newDesk(t, e, nil)
			d.to(map[string]any{"append": add})
			d.arrives(d.collect(named("old 1", "old 2")))
			run := d.collectMade(5500)
			d.arrives(run)
			// As it was before the outcome was recorded.
			d.Exec(t, `UPDATE deliveries SET status = 'pending', next_at = 0, attempts = 0 WHERE id = $1`, string(d.log(run.ID)[0].ID))
			d.arrives(run)
			d.wantAll(add, 5500)
		}
	})
}

// TestSheetQuota: requests that are refused for their number wait, within the
// attempt.
func TestSheetQuota(t *testing.T) {
	for _, add := range modes {
		d := newDesk(t, storetest.SQLite(t), nil)
		d.to(map[string]any{"append": add})
		d.arrives(d.collect(named("old 1", "old 2")))
		run := d.collectMade(11_000)
		d.google.SetQuota(2, 2, 300*time.Millisecond)
		d.google.Calls()
		d.arrives(run)
		d.wantAll(add, 11_000)
		if calls := d.google.Calls(); len(calls) > 60 {
			t.Errorf("%d calls", len(calls))
		}
		d.google.SetQuota(1000, 1000, time.Minute)
		for name, f := range map[string]sheetstest.Fault{
			"says when":    {Code: 429, Status: "RESOURCE_EXHAUSTED", Message: "Quota exceeded", RetryAfter: 1},
			"the old form": {Code: 403, Status: "PERMISSION_DENIED", Reason: "userRateLimitExceeded", Message: "User Rate Limit Exceeded"},
		} {
			d.google.SetFault(func(m string, n int) *sheetstest.Fault {
				if m == sheetstest.Get && n == 1 {
					return &f
				}
				return nil
			})
			began := time.Now()
			d.arrives(d.collect(nil))
			if took := time.Since(began); f.RetryAfter > 0 && took < time.Second {
				t.Errorf("%s: asked again after %s", name, took)
			}
		}
	}
}

// TestSheetTokenEnds: an access token that ends in the middle is replaced.
func TestSheetTokenEnds(t *testing.T) {
	for _, add := range modes {
		d := newDesk(t, storetest.SQLite(t), nil)
		d.to(map[string]any{"append": add})
		d.arrives(d.collect(named("old 1", "old 2")))
		run := d.collectMade(12_000)
		ended := false
		d.google.SetFault(func(m string, n int) *sheetstest.Fault {
			if m == sheetstest.Update && n == 2 && !ended {
				ended = true
				d.google.EndTokens()
				return &sheetstest.Fault{Code: 401, Status: "UNAUTHENTICATED", Message: "Request had invalid authentication credentials."}
			}
			return nil
		})
		d.arrives(run)
		d.wantAll(add, 12_000)
	}
}

// TestSheetEditedMeanwhile: people sort and delete rows between two requests.
func TestSheetEditedMeanwhile(t *testing.T) {
	d := newDesk(t, storetest.SQLite(t), nil)
	d.to(map[string]any{"append": true})
	d.arrives(d.collect(named("old 1", "old 2")))
	run := d.collectMade(12_000)
	edited := false
	d.google.SetFault(func(m string, n int) *sheetstest.Fault {
		if m == sheetstest.Update && n == 1 && !edited {
			edited = true
			return nil
		}
		if m == sheetstest.BatchGet && edited {
			edited = false
			// The newest rows first, one of the old ones away, one by hand at the end.
			d.book.Edit("Sheet1", func(rows [][]any) [][]any {
				slices.Reverse(rows[1:])
				return append(rows[:len(rows)-1], []any{"by hand"})
			})
		}
		return nil
	})
	d.arrives(run)
	names := column(t, d.book.Rows("Sheet1"), "name")
	seen := map[any]int{}
	for _, n := range names {
		seen[n]++
	}
	if len(names) != 12_002 || len(seen) != 12_002 || seen["by hand"] != 1 || seen["old 2"] != 1 {
		t.Errorf("%d rows with %d names, by hand %d", len(names), len(seen), seen["by hand"])
	}
}

// TestSheetRefusals: what people have to change is said, with whom to share and
// without secrets; what cannot mend itself is not tried again.
func TestSheetRefusals(t *testing.T) {
	e := storetest.SQLite(t)
	for name, c := range map[string]struct {
		spoil  func(d *desk) map[string]any
		detail string
		final  bool
	}{
		"not shared": {func(d *desk) map[string]any {
			return map[string]any{"url": d.google.NewBook("Other", "someone@example.com").URL()}
		},
			"press Share, and add " + robot + " as an editor", false},
		"reader": {func(d *desk) map[string]any {
			b := d.google.NewBook("Other")
			b.Share(robot, false)
			return map[string]any{"url": b.URL()}
		}, "press Share, and add " + robot + " as an editor", false},
		"no spreadsheet": {func(d *desk) map[string]any {
			return map[string]any{"url": "https://docs.google.com/spreadsheets/d/1nope"}
		},
			"check the url", true},
		"an Excel file":   {func(d *desk) map[string]any { d.book.MakeOffice(); return nil }, "Save as Google Sheets", true},
		"another's key":   {func(d *desk) map[string]any { return map[string]any{"credentials": d.google.ForgedKey(robot)} }, "Make a new key", true},
		"deleted account": {func(d *desk) map[string]any { d.google.Revoke(); return nil }, "Google does not know this key of " + robot, true},
		"no credentials":  {func(d *desk) map[string]any { return map[string]any{"credentials": ""} }, "--google-credentials", true},
		"broken key": {func(d *desk) map[string]any {
			return map[string]any{"credentials": strings.Replace(d.key, "MII", "XXX", 1)}
		}, "private_key cannot be read", true},
		"grant withdrawn": {func(d *desk) map[string]any {
			g := d.google.Grant("ada@example.com")
			d.google.Revoke()
			return map[string]any{"credentials": g}
		}, "make a new refresh token", true},
		"wrong client": {func(d *desk) map[string]any {
			return map[string]any{"credentials": strings.Replace(d.google.Grant("ada@example.com"), "GOCSPX-secret", "GOCSPX-other", 1)}
		}, "check client_id and client_secret", true},
		"unknown name": {func(d *desk) map[string]any {
			return map[string]any{"credentials": strings.Replace(d.key, d.google.URL, "https://oauth2.invalid", 1)}
		}, "The name oauth2.invalid", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, e, nil)
			more := c.spoil(d)
			d.to(more)
			got := d.send(d.collect(named("a")))
			want := shoal.DeliveryPending
			if c.final {
				want = shoal.DeliveryFailed
			}
			if got.Status != want || !strings.Contains(got.Detail, c.detail) {
				t.Errorf("%s %q, want %s %q", got.Status, got.Detail, want, c.detail)
			}
			for _, secret := range []string{"PRIVATE KEY", "MII", "GOCSPX", "1//refresh", "ya29"} {
				if strings.Contains(got.Detail+got.Target, secret) {
					t.Errorf("the log shows %s: %q", secret, got.Detail)
				}
			}
		})
	}
}

// TestSheetCredentials: a person's grant to an OAuth client works as well, and
// so do the operator's credentials.
func TestSheetCredentials(t *testing.T) {
	e := storetest.SQLite(t)
	d := newDesk(t, e, nil)
	d.book.Share("ada@example.com", true)
	d.to(map[string]any{"credentials": d.google.Grant("ada@example.com")})
	d.arrives(d.collect(named("a")))
	d.wantNames("Sheet1", "a")

	// A key whose line breaks went through an environment variable.
	d.to(map[string]any{"credentials": strings.ReplaceAll(d.key, `\n`, `\\n`)})
	d.arrives(d.collect(named("a", "b")))
	d.wantNames("Sheet1", "a", "b")

	google := sheetstest.Start(t)
	key, err := deliver.ParseGoogleKey([]byte(google.ServiceAccount(robot)))
	if err != nil {
		t.Fatal(err)
	}
	d = newDesk(t, e, func(o *deliver.Options) { o.Google = deliver.Google{Key: key, Endpoint: google.URL} })
	d.google, d.book = google, google.NewBook("Prices", robot)
	d.to(map[string]any{"credentials": ""})
	d.arrives(d.collect(named("b")))
	d.wantNames("Sheet1", "b")
}

// TestSheetTestLeavesNothing: a test says whether Shoal may write, and nobody
// sees that it did.
func TestSheetTestLeavesNothing(t *testing.T) {
	d := newDesk(t, storetest.SQLite(t), nil)
	d.book.Put("Sheet1", 0, 0, texts("mine"))
	test := func(key string) deliver.Answer {
		return d.service.Test(t.Context(), shoal.ChannelSheet, fmt.Appendf(nil, `{"url":%q,"credentials":%q}`, d.book.URL(), key))
	}
	if a := test(d.key); !a.OK || a.Status != 200 || !strings.Contains(a.Detail, "Shoal may write to “Prices”, tab “Sheet1”") {
		t.Errorf("%+v", a)
	}
	if rows := d.book.Rows("Sheet1"); len(rows) != 1 || rows[0][0] != "mine" || len(d.book.Tabs()) != 1 {
		t.Errorf("left behind: %v in %v", rows, d.book.Tabs())
	}
	d.book.Share(robot, false)
	d.book.Share("x", true)
	other := "reader@shoal-test.iam.gserviceaccount.com"
	key := d.google.ServiceAccount(other)
	d.book.Share(other, false)
	if a := test(key); a.OK || a.Status != 403 || !strings.Contains(a.Detail, "add "+other+" as an editor") {
		t.Errorf("a reader: %+v", a)
	}
}

// TestSheetHangs: nobody waits for a Google that is silent for longer than 90 s.
func TestSheetHangs(t *testing.T) {
	key := sheetstest.Start(t).ServiceAccount(robot)
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go func() {
			b := make([]byte, 1<<10)
			for {
				if _, err := theirs.Read(b); err != nil {
					return
				}
			}
		}()
		s := deliver.New(deliver.Options{Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
		began := time.Now()
		a := s.Test(t.Context(), shoal.ChannelSheet, fmt.Appendf(nil, `{"url":"https://docs.google.com/spreadsheets/d/1","credentials":%q}`, key))
		if took := time.Since(began); a.OK || !strings.Contains(a.Detail, "127.0.0.1 did not answer within 1m30s") || took != 90*time.Second {
			t.Errorf("%+v after %s", a, took)
		}
	})
}

// TestGuardOfSheets: credentials may name addresses, none of them inside.
func TestGuardOfSheets(t *testing.T) {
	google := sheetstest.Start(t)
	service := guarded(zone{"oauth2.inside.test": {"192.168.0.1"}, "sheets.inside.test": {"127.0.0.1"}})
	for _, key := range []string{
		google.ServiceAccount(robot),
		strings.Replace(google.ServiceAccount(robot), google.URL, "https://oauth2.inside.test", 1),
		strings.Replace(google.ServiceAccount(robot), google.URL, "https://169.254.169.254", 1),
	} {
		a := service.Test(t.Context(), shoal.ChannelSheet, fmt.Appendf(nil, `{"url":"https://docs.google.com/spreadsheets/d/1","credentials":%q}`, key))
		if a.OK || !strings.Contains(a.Detail, "is not visited") || !strings.Contains(a.Detail, "--allow-private-deliveries") {
			t.Errorf("%+v, want a refusal that names the switch", a)
		}
	}
	if calls := google.Calls(); len(calls) != 0 {
		t.Errorf("it was reached: %v", calls)
	}
	// The token is had outside, and the API that the key names is inside.
	address := netip.MustParseAddrPort(strings.TrimPrefix(google.URL, "http://"))
	service = guarded(zone{"sheets.inside.test": {"10.0.0.1"}}, address)
	key := strings.Replace(google.ServiceAccount(robot), "googleapis.com", "inside.test", 1)
	a := service.Test(t.Context(), shoal.ChannelSheet, fmt.Appendf(nil, `{"url":"https://docs.google.com/spreadsheets/d/1","credentials":%q}`, key))
	if a.OK || !strings.Contains(a.Detail, "sheets.inside.test") || !strings.Contains(a.Detail, "is not visited") || len(google.Calls()) != 1 {
		t.Errorf("%+v, want a refusal of the API's address", a)
	}
}
