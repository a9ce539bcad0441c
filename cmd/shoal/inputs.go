package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"shoal/client"
)

// taskChunk is how many tasks one call of the API carries.
const taskChunk = 10_000

// taskBatch gathers tasks for calls of the API, and knows where each came from,
// so that a refusal names the line and not a place in the call.
type taskBatch struct {
	api         *client.Client
	squid, main string
	tasks       []map[string]any
	origins     []string
}

// add adds one input; origin, if not empty, says where it stands.
func (b *taskBatch) add(ctx context.Context, in, origin string) error {
	t, err := taskOf(in, b.main)
	if err != nil {
		return from(origin, err)
	}
	b.tasks, b.origins = append(b.tasks, t), append(b.origins, origin)
	if len(b.tasks) == taskChunk {
		return b.send(ctx)
	}
	return nil
}

// send sends what was gathered.
func (b *taskBatch) send(ctx context.Context) error {
	if len(b.tasks) == 0 {
		return nil
	}
	_, err := b.api.AddTasks(ctx, b.squid, b.tasks)
	if err != nil {
		err = b.located(err)
	}
	b.tasks, b.origins = b.tasks[:0], b.origins[:0]
	return err
}

var taskIndex = regexp.MustCompile(`^tasks\[(\d+)\]`)

// located gives a refusal of tasks[i] the origin of that task.
func (b *taskBatch) located(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	m := taskIndex.FindStringSubmatch(e.Param)
	if m == nil {
		return err
	}
	i, aerr := strconv.Atoi(m[1])
	if aerr != nil || i >= len(b.origins) {
		return err
	}
	told := strings.TrimPrefix(e.Message, m[0]+": ")
	return &exit{exitUsage, from(b.origins[i], errors.New(told))}
}

// from puts where an input stands before what is wrong with it.
func from(origin string, err error) error {
	if origin == "" {
		return err
	}
	return fmt.Errorf("%s: %w", origin, err)
}

// addInputs adds the inputs of the command line and of a plain list.
func (c *goCmd) addInputs(ctx context.Context, o *output, api *client.Client, squid, main string) error {
	b := &taskBatch{api: api, squid: squid, main: main}
	for _, in := range c.Input {
		if err := b.add(ctx, in, ""); err != nil {
			return err
		}
	}
	if c.File != "" && !isTable(c.File) {
		if err := eachLine(ctx, o, c.File, b.add); err != nil {
			return err
		}
	}
	return b.send(ctx)
}

// isTable reports whether a file of inputs has columns and a header.
func isTable(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv", ".tsv":
		return true
	}
	return false
}

// eachLine calls add with every line of a file that is not blank or a comment,
// and with where it stands.
func eachLine(ctx context.Context, o *output, name string, add func(ctx context.Context, line, origin string) error) error {
	file, err := openInput(o, name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	n, found := 0, false
	for lines.Scan() {
		n++
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		found = true
		if err := add(ctx, line, fmt.Sprintf("line %d of %s", n, called(name))); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read line %d of %s: %w", n+1, called(name), err)
	}
	if !found {
		return &exit{exitUsage, fmt.Errorf("%s has no inputs: write one a line", called(name))}
	}
	return nil
}

// called names a file of inputs for a person.
func called(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// readable refuses a file of inputs that cannot be read.
func readable(name string) error {
	if name == "-" {
		return nil
	}
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		err = errors.New("it is a directory")
	}
	if err != nil {
		return &exit{exitUsage, fmt.Errorf("the file of inputs %s: %w", name, cause(err))}
	}
	return nil
}

// cause is err without the operation and path that an os call names.
func cause(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// taskOf reads one input of the command line: a JSON object, name=value, or
// the bare value of the crawler's main input.
func taskOf(in, mainInput string) (map[string]any, error) {
	if strings.HasPrefix(in, "{") {
		return objectOf(in)
	}
	if k, v, ok := strings.Cut(in, "="); ok && isName(k) {
		return map[string]any{k: v}, nil
	}
	if mainInput == "url" {
		in = withScheme(in)
	}
	return map[string]any{mainInput: in}, nil
}

// bareHost is a host with a dot or a port, and what may follow it: what people
// type for a site when they leave out the scheme.
var bareHost = regexp.MustCompile(`^(?:[\pL\pN_-]+\.)+[\pL\pN-]+\.?(?::\d+)?(?:[/?#]|$)|^[\pL\pN-]+:\d+(?:[/?#]|$)`)

// withScheme returns an address as a browser takes it: typed without its scheme
// as https, with the scheme in capitals as in small letters; anything else as it is.
func withScheme(in string) string {
	if scheme, rest, ok := strings.Cut(in, "://"); ok {
		return strings.ToLower(scheme) + "://" + rest
	}
	if bareHost.MatchString(in) {
		return "https://" + in
	}
	return in
}

// isName reports whether s can be an input's name, so that the = of a URL's
// query is not taken for a name's.
func isName(s string) bool {
	for _, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func objectOf(in string) (map[string]any, error) {
	var t map[string]any
	if err := json.Unmarshal([]byte(in), &t); err != nil {
		return nil, &exit{exitUsage, fmt.Errorf("the input %s is not a JSON object: %w", clip(in, 60), err)}
	}
	return t, nil
}
