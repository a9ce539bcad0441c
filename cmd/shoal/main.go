// Command shoal is a self-hosted scraping platform in one binary: it crawls
// sites into durable results, and serves them over the lobstr.io API v1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"shoal"
	"shoal/client"
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
	Serve    serveCmd    `cmd:"" help:"Serve the API: squids, tasks, runs and results over HTTP."`
	Go       goCmd       `cmd:"" help:"Collect now: run a crawler on the given inputs and write the rows."`
	Demo     demoCmd     `cmd:"" help:"See it work: crawl a bookshop of its own, and show what came out."`
	Crawler  crawlerCmd  `cmd:"" help:"The crawlers: what they take and what they return."`
	Squid    squidCmd    `cmd:"" help:"Squids on a server: a crawler with settings and tasks."`
	Task     taskCmd     `cmd:"" help:"Tasks of a squid on a server."`
	Run      runCmd      `cmd:"" help:"Runs on a server: start, follow, pause, resume, abort."`
	Schedule scheduleCmd `cmd:"" help:"When squids on a server launch by themselves."`
	Chain    chainCmd    `cmd:"" help:"Chains on a server: results that become another crawler's tasks."`
	Result   resultCmd   `cmd:"" help:"Results on a server."`
	Delivery deliveryCmd `cmd:"" help:"Deliveries on a server: webhooks, e-mails, and what became of them."`
	Account  accountCmd  `cmd:"" help:"Accounts: logged-in sessions on sites, for pages that only members see."`
	Admin    adminCmd    `cmd:"" help:"For those who run the server: users, API keys, workspaces."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

const about = `Shoal collects from web sites into durable results.

  shoal demo                                        see it work in a minute
  shoal go website https://example.com -o pages.csv collect a whole site
  shoal serve                                       offer it to programs, at http://127.0.0.1:8080/v1

Flags may stand in shoal.yaml in the current directory (server: http://…,
go: {concurrency: 8}), and many in an environment variable: --help names it.
Exit codes: 0 done, 1 failed, 2 usage, 3 a run ended with another reason, 130 interrupted.`

func main() {
	// The only writer of this log is net/http's client: it tells what hostile
	// servers send, as often as they like. What matters of it is in the runs.
	log.SetOutput(io.Discard)
	keepHeadroom()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run parses args, does the verb and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// What parsing needs is more than a megabyte: it is garbage before the verb begins.
	do, code := parse(args, stdout, stderr)
	if do == nil {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks for an orderly end, the second one ends at once:
	// what is committed is safe either way.
	context.AfterFunc(ctx, stop)
	out := &output{out: stdout, err: stderr, in: stdin, terminal: isTerminal(stdout), errTerminal: isTerminal(stderr)}
	return exitCode(do(ctx, out), stderr)
}

// parse returns the verb that args ask for, with its flags set; nil when there
// is nothing to do but to exit with code.
func parse(args []string, stdout, stderr io.Writer) (do func(context.Context, *output) error, code int) {
	var c cli
	code = -1
	parser, err := kong.New(&c, kong.Name("shoal"), kong.Description(about),
		kong.UsageOnError(), kong.Writers(stdout, stderr),
		kong.Exit(func(n int) { code = n }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Configuration(yamlConfig, "shoal.yaml"))
	if err != nil {
		fmt.Fprintf(stderr, "shoal: %v\n", err)
		return nil, exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if code >= 0 { // --help asked to leave
		return nil, code
	}
	if err != nil {
		fmt.Fprintf(stderr, "shoal: %v\nTry: %s --help\n", err, verbOf(err))
		return nil, exitUsage
	}
	return verb(kctx.Selected().Target.Addr().Interface()), 0
}

// verb returns what a verb's struct does.
func verb(target any) func(context.Context, *output) error {
	switch v := target.(type) {
	case interface {
		Run(context.Context, *output) error
	}:
		return v.Run
	case interface{ Run(*output) error }:
		return func(_ context.Context, o *output) error { return v.Run(o) }
	case interface{ Run(context.Context) error }:
		return func(ctx context.Context, _ *output) error { return v.Run(ctx) }
	}
	return func(context.Context, *output) error { return fmt.Errorf("%T cannot be run", target) }
}

// verbOf returns the verb that was understood before parsing failed, for a hint.
func verbOf(err error) string {
	words := []string{"shoal"}
	if e, ok := errors.AsType[*kong.ParseError](err); ok && e.Context != nil {
		for _, p := range e.Context.Path {
			if p.Command != nil {
				words = append(words, p.Command.Name)
			}
		}
	}
	return strings.Join(words, " ")
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
	answer, answered := errors.AsType[*client.Error](err)
	switch {
	case ok && e.err == nil:
	case answered && err.Error() == answer.Error():
		// The code is for programs, which read it from the API's own answer.
		fmt.Fprintf(stderr, "shoal: %s\n", answer.Message)
	default:
		fmt.Fprintf(stderr, "shoal: %v\n", err)
	}
	if errors.Is(err, client.ErrNoAnswer) && errors.Is(err, syscall.ECONNREFUSED) {
		fmt.Fprintf(stderr, "Start a server with: shoal serve; or name another: --server (SHOAL_SERVER)\n")
	}
	if !ok && (shoal.KindOf(err) == shoal.KindInvalid || answered && answer.Type == "validation_error") {
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
