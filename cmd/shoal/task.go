package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"shoal/client"
)

// taskCmd holds the verbs of tasks.
type taskCmd struct {
	Ls     taskLs     `cmd:"" help:"List a squid's tasks, newest first."`
	Add    taskAdd    `cmd:"" help:"Add tasks."`
	Upload taskUpload `cmd:"" help:"Add the tasks of a CSV or TSV file."`
	Rm     taskRm     `cmd:"" help:"Delete a task."`
}

type taskLs struct {
	serverFlags
	pageFlags
	Squid string `arg:"" help:"Id of the squid."`
}

func (c *taskLs) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p, err := api.Tasks(ctx, c.Squid, c.window())
	if err != nil {
		return err
	}
	return listing(o, c.JSON, p, []string{"ID", "CREATED", "PARAMS"}, func(t client.Task) []string {
		return []string{t.ID, t.CreatedAt.Format(time.DateTime), cell(t.Params)}
	})
}

type taskAdd struct {
	serverFlags
	Squid string   `arg:"" help:"Id of the squid."`
	Input []string `arg:"" help:"Tasks: each a JSON object, name=value, or a URL." sep:"none"`
}

func (c *taskAdd) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	tasks := make([]map[string]any, 0, len(c.Input))
	for _, in := range c.Input {
		t, err := taskOf(in, "url")
		if err != nil {
			return err
		}
		tasks = append(tasks, t)
	}
	added, err := api.AddTasks(ctx, c.Squid, tasks)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, added)
	}
	for _, t := range added.Tasks {
		o.printf("%s\n", t.ID)
	}
	if added.DuplicatedCount > 0 {
		o.notef("%s already there.\n", plural(int64(added.DuplicatedCount), "task"))
	}
	return nil
}

type taskUpload struct {
	serverFlags
	Squid string `arg:"" help:"Id of the squid."`
	File  string `arg:"" help:"CSV or TSV file whose header names the params; - for standard input."`
}

func (c *taskUpload) Run(ctx context.Context, o *output) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	up, err := uploadFile(ctx, o, api, c.Squid, c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(o.out, up)
	}
	return nil
}

// uploadFile sends a file of tasks and waits until it is imported.
func uploadFile(ctx context.Context, o *output, api *client.Client, squid, name string) (*client.Upload, error) {
	file, err := openInput(o, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	id, err := api.UploadTasks(ctx, squid, filepath.Base(name), file)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		up, err := api.Upload(ctx, id)
		if err != nil {
			return nil, err
		}
		if up.State == "SUCCESS" || up.State == "FAILURE" {
			return up, reportUpload(o, up)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func reportUpload(o *output, up *client.Upload) error {
	if m := up.Meta; m != nil {
		o.notef("%s added, %s already there, %s refused.\n", plural(m.Inserted, "task"), count(m.Duplicates), count(m.Invalid))
	}
	for _, e := range up.Errors {
		o.notef("  line %d: %s\n", e.Line, e.Message)
	}
	if up.State == "FAILURE" {
		return fmt.Errorf("the file could not be imported")
	}
	return nil
}

type taskRm struct {
	serverFlags
	Task string `arg:"" help:"Id of the task."`
}

func (c *taskRm) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	return api.DeleteTask(ctx, c.Task)
}
