package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/deliver/delivertest"
	"shoal/internal/fixtures"
	"shoal/internal/mariatest"
	"shoal/internal/pgtest"
	"shoal/internal/sheetstest"
)

// TestDeliveryDocs runs every command of the pages about deliveries as it is
// written, against a server of its own and other sides of its own: what is set
// by them works, since a run is then delivered by each channel.
func TestDeliveryDocs(t *testing.T) {
	t.Parallel()
	e := newEverywhere(t)
	e.release()
	google := sheetstest.Start(t)
	key := google.ServiceAccount("shoal@my-project.iam.gserviceaccount.com")
	book := google.NewBook("Results", "shoal@my-project.iam.gserviceaccount.com")
	srv := newServer(t, t.TempDir(), "", append(e.flags(), "--google-endpoint", google.URL)...)
	srv.start()
	pages, err := filepath.Glob("../../docs/deliveries/*.md")
	if err != nil || len(pages) < 6 {
		t.Fatal(pages, err)
	}
	target := site(t, fixtures.Static()) + "/"
	for _, page := range append([]string{"../../docs/deliveries.md"}, pages...) {
		name := strings.TrimSuffix(filepath.Base(page), ".md")
		t.Run(name, func(t *testing.T) {
			commands := commandsOf(t, page)
			for from, to := range map[string]string{
				"http://127.0.0.1:8080":                           "http://" + srv.addr,
				"https://example.com/hook":                        e.hook,
				"https://hooks.slack.com/services/T000/B000/XXXX": e.slack,
				"https://s3.eu-central-1.amazonaws.com":           e.s3.URL,
				"files.example.com":                               "127.0.0.1",
				`"port": 22`:                                      `"port": ` + strconv.Itoa(e.sftp.Port),
				"port=22":                                         "port=" + strconv.Itoa(e.sftp.Port),
				`"password": "…"`:                                 `"password": "` + delivertest.Password + `"`,
				"--set password=…":                                "--set password=" + delivertest.Password,
				"shoal serve ":                                    "serve serve ",
			} {
				commands = strings.ReplaceAll(commands, from, to)
			}
			for from, database := range map[string]func(testing.TB) string{
				"postgres://shoal:secret@db.example.com:5432/shop": pgtest.Database, "mysql://shoal:secret@db.example.com:3306/shop": mariatest.Database,
			} {
				if strings.Contains(commands, from) {
					commands = strings.ReplaceAll(commands, from, database(t))
				}
			}
			s := *srv
			s.t = t
			squid := pageSquid(t, &s, target)
			out := s.script(t, commands, map[string]string{"SQUID": squid, "SHEET": book.URL()}, map[string]string{"key.json": key})
			if name == "deliveries" {
				return // it takes away in the end what it has set
			}
			run, err := s.client().StartRun(t.Context(), squid)
			if err != nil {
				t.Fatal(err)
			}
			settled(t, &s, run.ID, 1)
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

// commandsOf are the lines of a page's blocks of sh.
func commandsOf(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if plain := regexp.MustCompile("(?m)^```\n(curl|shoal)").FindString(string(text)); plain != "" {
		t.Errorf("%s has commands in a block that is not sh, and nobody runs them", page)
	}
	var all strings.Builder
	for _, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		all.WriteString(m[1])
	}
	if all.Len() == 0 {
		t.Fatalf("%s has no commands", page)
	}
	return all.String()
}

// pageSquid makes a squid with a task.
func pageSquid(t *testing.T, s *server, target string) string {
	t.Helper()
	ctx, api := t.Context(), s.client()
	made, err := api.CreateSquid(ctx, "website", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := api.UpdateSquid(ctx, made.ID, map[string]any{"params": map[string]any{"max_pages": 1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.AddTasks(ctx, made.ID, []map[string]any{{"url": target}}); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// script runs commands as people run them, in a folder with the files. curl
// fails when it is answered an error, and `shoal serve` stops once it is up.
func (s *server) script(t *testing.T, commands string, variables, files map[string]string) (out string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const functions = `
curl() { command curl --fail-with-body --silent --show-error "$@"; }
serve() {
	SHOAL_DATA=$PWD/served shoal "$@" --addr 127.0.0.1:0 2>served.log &
	local served=$!
	trap "kill $served" EXIT
	until grep -q "serves http" served.log; do kill -0 $served && sleep 0.05; done
	kill $served
	wait $served
	trap - EXIT
}
`
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-exuo", "pipefail", "-c", functions+commands)
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SHOAL_TOKEN="+testKey, "SHOAL_SERVER=http://"+s.addr, "TOKEN="+testKey, "HOME="+dir,
		"PATH="+filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return string(b)
}
