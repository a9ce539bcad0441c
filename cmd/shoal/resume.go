package main

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"shoal/client"
)

// interrupted pauses the run, so that it stands still until it is resumed, and
// says how.
func (c *goCmd) interrupted(o *output, api *client.Client, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if c.once {
		o.notef("Stopped.\n")
		return &exit{code: exitInterrupted}
	}
	if _, err := api.PauseRun(ctx, id); err != nil {
		// It may be paused or over by now, which is as well.
		if run, rerr := api.Run(ctx, id); rerr != nil || run.Status != "paused" && !run.IsDone {
			o.notef("The run could not be paused (%v); it goes on when the data directory is used next.\n", err)
		}
	}
	o.notef("Stopped; what was collected is kept. Go on with:\n  %s\n", c.resumeCommand(id, c.Output))
	return &exit{code: exitInterrupted}
}

// cutShort names the runs whose process was killed. They go on while this one
// lives, but nobody was told how to have their rows.
func (c *goCmd) cutShort(ctx context.Context, o *output, api *client.Client) error {
	if c.Server != "" || c.Database != "" || c.once {
		return nil // others may be at work there
	}
	runs, err := api.Runs(ctx, "", client.Window{Limit: 20})
	if err != nil {
		return err
	}
	for _, run := range runs.Data {
		if !run.IsDone && run.Status != "paused" {
			o.notef("A run of %s was cut short and goes on beside this one. To follow it and have its rows:\n  %s\n",
				run.CreatedAt.Local().Format("2006-01-02 15:04"), c.resumeCommand(run.ID, "rows.csv"))
		}
	}
	return nil
}

// resumeCommand is what a person types to go on with the run, or to have its
// rows once more, in the file output.
func (c *goCmd) resumeCommand(id, output string) string {
	words := []string{"go", "--resume", id}
	if c.Server != "" {
		words = append(words, "--server", c.Server)
		if os.Getenv("SHOAL_TOKEN") != c.Token {
			words = append(words, "--key", "KEY")
		}
	} else {
		if isDefinition(c.Crawler) {
			words = append(words, c.Crawler)
		}
		words = append(words, c.platformFlags.words()...)
	}
	if output != "" {
		words = append(words, "-o", output)
	}
	if c.Format != "" {
		words = append(words, "--format", c.Format)
	}
	if c.JSON {
		words = append(words, "--json")
	}
	for i, w := range words {
		words[i] = quoted(w)
	}
	return invoked(os.Args[0]) + " " + strings.Join(words, " ")
}

// words are the flags as a person typed them, for the command that resumes.
func (f platformFlags) words() []string {
	var w []string
	if home, err := filepath.Abs("shoal-data"); err != nil || f.Data != home {
		w = append(w, "--data", f.Data)
	}
	if f.Database != "" && os.Getenv("SHOAL_DATABASE") != f.Database {
		w = append(w, "--database", redacted(f.Database))
	}
	if f.Crawlers != "" {
		w = append(w, "--crawlers", f.Crawlers)
	}
	if f.UserAgent != "" && os.Getenv("SHOAL_USER_AGENT") != f.UserAgent {
		w = append(w, "--user-agent", f.UserAgent)
	}
	if f.AllowPrivateTargets {
		w = append(w, "--allow-private-targets")
	}
	return w
}

// redacted is a database's URL without its password.
func redacted(database string) string {
	if u, err := url.Parse(database); err == nil && u.Host != "" {
		return u.Redacted()
	}
	return "URL"
}

// invoked is how a person starts this program: by the path it was started
// with, or with go run, whose program is gone when it ends.
func invoked(arg0 string) string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") {
		return "go run ./cmd/shoal"
	}
	return quoted(arg0)
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// quoted is a word as a POSIX shell reads it back.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
