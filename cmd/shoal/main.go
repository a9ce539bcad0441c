// Command shoal is a self-hosted scraping platform in one binary: it crawls
// sites into durable results, and serves them over the lobstr.io API v1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"golang.org/x/term"

	"shoal"
)

// The exit codes of the command.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitOtherReason = 3
	exitInterrupted = 130
)

// cli is the command line; each verb is a file of this package.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Serve the API: squids, tasks, runs and results over HTTP."`
	Go      goCmd      `cmd:"" help:"Collect now: run a crawler on the given inputs and write the rows."`
	Demo    demoCmd    `cmd:"" help:"See it work: crawl a bookshop of its own, and show what came out."`
	Crawler crawlerCmd `cmd:"" help:"The crawlers: what they take and what they return."`
	Squid   squidCmd   `cmd:"" help:"Squids on a server: a crawler with settings and tasks."`
	Task    taskCmd    `cmd:"" help:"Tasks of a squid on a server."`
	Run     runCmd     `cmd:"" help:"Runs on a server: start, follow, pause, resume, abort."`
	Result  resultCmd  `cmd:"" help:"Results on a server."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

const about = `Shoal collects from web sites into durable results.

  shoal demo                                        see it work in a minute
  shoal go website https://example.com -o pages.csv collect a whole site
  shoal serve                                       offer it to programs, at http://127.0.0.1:8080/v1

Every flag can be given as an environment variable or in shoal.yaml in the
current directory (server: http://…, go: {concurrency: 8}).
Exit codes: 0 done, 1 failed, 2 usage, 3 a run ended with another reason, 130 interrupted.`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run parses args, does the verb and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	code := -1
	parser, err := kong.New(&c, kong.Name("shoal"), kong.Description(about),
		kong.UsageOnError(), kong.Writers(stdout, stderr),
		kong.Exit(func(n int) { code = n }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Configuration(yamlConfig, "shoal.yaml"))
	if err != nil {
		fmt.Fprintf(stderr, "shoal: %v\n", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if code >= 0 { // --help asked to leave
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "shoal: %v\nTry: shoal %s--help\n", err, verbOf(args))
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := &output{out: stdout, err: stderr, in: stdin, terminal: isTerminal(stdout), errTerminal: isTerminal(stderr)}
	kctx.BindTo(ctx, (*context.Context)(nil))
	return exitCode(kctx.Run(out), stderr)
}

// verbOf returns the leading words of args that are not flags, for a hint.
func verbOf(args []string) string {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return ""
	}
	return args[0] + " "
}

// exit is an error that carries its exit code; a nil err prints nothing.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	code := exitFailed
	e, ok := errors.AsType[*exit](err)
	if ok {
		code = e.code
	}
	if !ok || e.err != nil {
		fmt.Fprintf(stderr, "shoal: %v\n", err)
	}
	if !ok && shoal.KindOf(err) == shoal.KindInvalid {
		return exitUsage
	}
	return code
}

// output is where a verb writes, and what stands there.
type output struct {
	in          io.Reader
	out, err    io.Writer
	terminal    bool // out is a terminal
	errTerminal bool
}

// printf writes to standard output.
func (o *output) printf(format string, args ...any) { fmt.Fprintf(o.out, format, args...) }

// notef writes to standard error: what a person reads and a pipe does not want.
func (o *output) notef(format string, args ...any) { fmt.Fprintf(o.err, format, args...) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// yamlConfig reads shoal.yaml: flags by name, those of a verb under its name.
func yamlConfig(r io.Reader) (kong.Resolver, error) {
	var values map[string]any
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		name := "shoal.yaml"
		if f, ok := r.(*os.File); ok {
			name = filepath.Base(f.Name())
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return kong.ResolverFunc(func(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
		// The environment is nearer to the person than the file.
		if slices.ContainsFunc(flag.Envs, func(name string) bool { _, set := os.LookupEnv(name); return set }) {
			return nil, nil
		}
		at := values
		if node := parent.Node(); node != nil && node.Type == kong.CommandNode {
			if section, ok := values[node.Name].(map[string]any); ok {
				at = section
			}
		}
		if v, ok := at[flag.Name]; ok {
			return v, nil
		}
		return values[flag.Name], nil
	}), nil
}
