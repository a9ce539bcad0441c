package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/fixtures"
	"shoal/internal/sheetstest"
)

// TestDocumentedSheet runs the commands of docs/deliveries/google-sheets.md, and
// has a run arrive in the sheet.
func TestDocumentedSheet(t *testing.T) {
	const robot = "shoal@my-project.iam.gserviceaccount.com"
	google, target := sheetstest.Start(t), site(t, fixtures.Static())
	book := google.NewBook("Prices", robot)
	key := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte(google.ServiceAccount(robot)), 0o600); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/deliveries/google-sheets.md")
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(t, t.TempDir(), "", "--allow-private-deliveries", "--google-endpoint", google.URL)
	srv.start()
	made, err := srv.client().CreateSquid(t.Context(), "website", "")
	if err != nil {
		t.Fatal(err)
	}
	squid := made.ID
	if _, err := srv.client().AddTasks(t.Context(), squid, []map[string]any{{"url": target + "/"}}); err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^shoal (delivery .*)$`).FindAllStringSubmatch(string(page), -1)
	if len(lines) != 2 {
		t.Fatalf("the page has %d commands, want 2", len(lines))
	}
	for _, line := range lines {
		command := strings.NewReplacer("$SHEET", book.URL(), "$SQUID", squid, "key.json", key, `"`, "").Replace(line[1])
		var out, errs bytes.Buffer
		args := append(strings.Fields(command), "--server", "http://"+srv.addr, "--key", testKey)
		if code := run(args, strings.NewReader(""), &out, &errs); code != 0 || strings.Contains(out.String(), "PRIVATE") {
			t.Fatalf("%s: exit %d\n%s%s", line[1], code, &out, &errs)
		}
	}
	begun, err := srv.client().StartRun(t.Context(), squid)
	if err != nil {
		t.Fatal(err)
	}
	r := srv.await(begun.ID, 60*time.Second, func(r *client.Run) bool { return r.IsDone })
	srv.sheetDelivered(r.ID)
	if rows := book.Rows("Sheet1"); int64(len(rows)) != r.TotalUniqueResults+1 || rows[0][0] != "url" {
		t.Errorf("%d rows in the sheet, %v, of %d results", len(rows), rows[0], r.TotalUniqueResults)
	}
}

// sheetDelivered waits until the sheet has the run.
func (s *server) sheetDelivered(run string) {
	s.t.Helper()
	until(s.t, "the delivery to end", func() bool {
		log, err := s.client().Deliveries(s.t.Context(), run, "", "", client.Window{})
		if err != nil {
			s.t.Fatal(err)
		}
		i := slices.IndexFunc(log.Data, func(d client.Delivery) bool { return d.Channel == "google_sheet" })
		if i >= 0 && log.Data[i].Status == "failed" {
			s.t.Fatalf("the delivery failed: %s", orEmpty(log.Data[i].Detail))
		}
		return i >= 0 && log.Data[i].Status == "delivered"
	})
}

// until waits for what to come true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestSheetKilledBetweenWriteAndRecord kills the server when Google has written
// the rows and has not answered: they are sent once more, and are there once.
func TestSheetKilledBetweenWriteAndRecord(t *testing.T) {
	const robot = "shoal@my-project.iam.gserviceaccount.com"
	target := site(t, fixtures.Static())
	for name, c := range map[string]struct {
		add    bool
		method string // whose second call writes the rows
	}{"append": {true, sheetstest.Update}, "replace": {false, sheetstest.BatchUpdate}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			google := sheetstest.Start(t)
			book, key := google.NewBook("Prices", robot), google.ServiceAccount(robot)
			srv := newServer(t, t.TempDir(), "", "--allow-private-deliveries", "--google-endpoint", google.URL)
			srv.start()
			ctx, api := t.Context(), srv.client()
			squid, err := api.CreateSquid(ctx, "website", "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := api.AddTasks(ctx, squid.ID, []map[string]any{{"url": target + "/"}}); err != nil {
				t.Fatal(err)
			}
			fields := map[string]any{"url": book.URL(), "append": c.add, "credentials": key}
			if _, err := api.SetDelivery(ctx, squid.ID, map[string]any{"google_sheet_fields": fields}); err != nil {
				t.Fatal(err)
			}
			google.SetFault(func(method string, n int) *sheetstest.Fault {
				if method == c.method && n == 2 {
					return &sheetstest.Fault{HangAfter: true}
				}
				return nil
			})
			run, err := api.StartRun(ctx, squid.ID)
			if err != nil {
				t.Fatal(err)
			}
			until(t, "the rows", func() bool { return len(book.Rows("Sheet1")) > 1 })
			srv.kill()
			google.SetFault(nil)
			srv.start()
			srv.sheetDelivered(run.ID)
			r, err := api.Run(ctx, run.ID)
			if err != nil {
				t.Fatal(err)
			}
			if rows, tabs := book.Rows("Sheet1"), book.Tabs(); int64(len(rows)) != r.TotalUniqueResults+1 || len(tabs) != 1 {
				t.Errorf("%d rows in %v, of %d results", len(rows), tabs, r.TotalUniqueResults)
			}
		})
	}
}

// TestGoogleCredentialsFlag starts servers with credentials for all squids.
func TestGoogleCredentialsFlag(t *testing.T) {
	const robot = "all@my-project.iam.gserviceaccount.com"
	google := sheetstest.Start(t)
	book := google.NewBook("Prices", robot)
	key := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte(google.ServiceAccount(robot)), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := newServer(t, t.TempDir(), "", "--allow-private-deliveries", "--google-endpoint", google.URL, "--google-credentials", key)
	srv.start()
	for want, url := range map[string]string{"": book.URL(), "add " + robot + " as an editor": google.NewBook("Other").URL()} {
		got, err := srv.client().TestDelivery(t.Context(), "googlesheet", "", map[string]any{"url": url})
		if err != nil || got.Success != (want == "") || !strings.Contains(got.Detail, want) {
			t.Errorf("%+v, %v, want %q", got, err, want)
		}
	}
	if err := os.WriteFile(key, []byte(`{"installed":{"client_id":"x"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"OAuth client alone":         {"--google-credentials", key},
		"--google-credentials: open": {"--google-credentials", key + "x"},
		"--google-endpoint is":       {"--google-endpoint", "sheets.example.com"},
	} {
		var out, errs bytes.Buffer
		all := append([]string{"serve", "--addr", "127.0.0.1:0", "--data", t.TempDir()}, args...)
		if code := run(all, strings.NewReader(""), &out, &errs); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%v: exit %d, want %d and %q:\n%s", args, code, exitUsage, want, &errs)
		}
	}
}
