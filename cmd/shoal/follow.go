package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"shoal/client"
)

// resultFollow writes a squid's results as they are collected.
type resultFollow struct {
	serverFlags
	Squid  string   `arg:"" help:"Id of the squid."`
	As     string   `help:"Name under which the server keeps how far you are." required:"" placeholder:"NAME"`
	Output string   `help:"File to append to; - for standard output. FILE.cursor beside it says how far it is." short:"o" default:"-" placeholder:"FILE"`
	Format string   `help:"jsonl or csv." enum:"jsonl,csv" default:"jsonl"`
	Fields []string `help:"Only these fields." placeholder:"NAME"`
	Omit   []string `help:"All fields but these." placeholder:"NAME"`
	Once   bool     `help:"End when there is nothing new, instead of waiting for more."`
	Batch  int      `help:"Results that are acknowledged at a time." default:"10000"`
}

// Pauses of a follower whose server is away, and its waits for news.
const (
	followRetry    = 500 * time.Millisecond
	followRetryMax = 30 * time.Second
	followWait     = 30 * time.Second
	maxHeader      = 1 << 20 // bytes of a CSV header
)

func (c *resultFollow) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if c.Batch < 1 {
		return &exit{exitUsage, fmt.Errorf("--batch is %d; it must be at least 1", c.Batch)}
	}
	f := &resultFollower{api: api, out: o, once: c.Once,
		take: client.Take{Squid: c.Squid, Cursor: c.As, Limit: c.Batch, Fields: c.Fields, Omit: c.Omit}}
	f.accept = map[string]string{"jsonl": "application/x-ndjson", "csv": "text/csv"}[c.Format]
	f.csv = c.Format == "csv"
	if c.Output != "-" && c.Output != "" {
		if f.file, err = openFollowFile(c.Output, progress{Squid: c.Squid, Cursor: c.As, Format: c.Format}); err != nil {
			return err
		}
		f.take.Ack = f.file.at.Ack
	}
	err = f.follow(ctx)
	if f.file != nil {
		err = errors.Join(err, f.file.close())
	}
	if ctx.Err() != nil {
		o.notef("Stopped after %s. The same command goes on from here.\n", plural(f.rows, "result"))
		return &exit{code: exitInterrupted}
	}
	if err == nil {
		o.notef("%s\n", plural(f.rows, "result"))
	}
	return err
}

// resultFollower takes results and stores them, for ever unless once.
type resultFollower struct {
	api    *client.Client
	out    *output
	file   *followFile // nil: standard output
	take   client.Take
	accept string
	csv    bool
	header bool // standard output has its CSV header
	once   bool
	rows   int64
	away   time.Duration // how long to wait for a server that does not answer
}

// follow ends with ctx, with an error that trying again does not mend or, if
// once, when there is nothing new and all is acknowledged.
func (f *resultFollower) follow(ctx context.Context) error {
	if !f.once {
		f.take.Wait = followWait
	}
	for ctx.Err() == nil {
		asked := time.Now()
		some, err := f.step(ctx)
		if err != nil {
			if err = f.endure(ctx, err); err != nil {
				return err
			}
			continue
		}
		f.away = 0
		if some {
			continue
		}
		if f.once {
			return nil
		}
		if time.Since(asked) < followRetry { // it could not wait: it is stopping
			pause(ctx, followRetry)
		}
	}
	return ctx.Err()
}

// errKeeping is that results could not be kept here, which is not the server's fault.
type errKeeping struct{ error }

func (e errKeeping) Unwrap() error { return e.error }

// step stores one answer; some is false when there was nothing new.
func (f *resultFollower) step(ctx context.Context) (some bool, err error) {
	s, err := f.api.StreamTaken(ctx, f.take, f.accept)
	if err != nil {
		return false, err
	}
	defer s.Body.Close()
	if s.Ack == f.take.Ack || f.take.Ack == "" && s.Count == 0 && s.Removed == 0 {
		f.take.Ack = s.Ack
		return false, nil
	}
	body := &faults{from: s.Body}
	if err := f.keep(body, s.Ack); err != nil {
		if body.err != nil {
			return false, fmt.Errorf("%w: %w", client.ErrNoAnswer, body.err)
		}
		return false, errKeeping{err}
	}
	if s.Removed > 0 {
		f.out.notef("%s had been deleted before being taken\n", plural(s.Removed, "result"))
	}
	f.rows += s.Count
	f.take.Ack = s.Ack
	return true, nil
}

// keep stores an answer's results.
func (f *resultFollower) keep(body io.Reader, ack string) error {
	if f.csv {
		rest, err := f.afterHeader(body)
		if err != nil {
			return err
		}
		body = rest
	}
	if f.file != nil {
		_, err := f.file.add(body, ack)
		return err
	}
	_, err := io.Copy(f.out.out, body)
	f.header = err == nil
	return err
}

// afterHeader leaves the header out of an answer in CSV, unless it is the first.
func (f *resultFollower) afterHeader(body io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(body, 64<<10)
	var line []byte
	for len(line) < maxHeader {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("read the header: %w", err)
		}
	}
	if f.file == nil {
		if f.header {
			return in, nil
		}
		return io.MultiReader(bytes.NewReader(line), in), nil
	}
	if f.file.at.Offset == 0 {
		return io.MultiReader(bytes.NewReader(line), in), nil
	}
	first, err := f.file.firstLine()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, line) {
		return nil, fmt.Errorf("the columns are no longer those of the file: the crawler has changed, or --fields and --omit have. Name the columns with --fields, or move the file and its %s away to go on in a new one", noteOf("FILE"))
	}
	return in, nil
}

// endure waits after an error that may pass, and returns any other.
func (f *resultFollower) endure(ctx context.Context, err error) error {
	var kept errKeeping
	if errors.As(err, &kept) || ctx.Err() != nil {
		return err
	}
	e, answered := errors.AsType[*client.Error](err)
	switch {
	case answered && f.file != nil && f.file.at.Ack != "" && (e.Param == "ack" || e.Code == "CursorDoesNotExist"):
		return fmt.Errorf("%w. Here: move the file and its %s away to go on in a new file from where the cursor is", err, noteOf("FILE"))
	case answered && e.Status < 500 && e.Status != http.StatusTooManyRequests:
		return err
	}
	if f.away == 0 {
		f.out.notef("The server does not answer, and is asked again until it does: %v\n", err)
	}
	f.away = min(max(2*f.away, followRetry), followRetryMax)
	pause(ctx, f.away)
	return nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// faults reads and remembers an error that is not the end.
type faults struct {
	from io.Reader
	err  error
}

func (f *faults) Read(b []byte) (int, error) {
	n, err := f.from.Read(b)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}
