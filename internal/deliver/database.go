package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shoal"
	"shoal/internal/export"
	"shoal/internal/sqltable"
)

// database writes a run's results into a table of PostgreSQL, MySQL, MariaDB or
// SQLite.
type database struct {
	tables *sqltable.Writer
	run    interface {
		RunByID(ctx context.Context, id shoal.RunID) (shoal.Run, error)
	}
	columns func(ctx context.Context, run *shoal.Run) ([]shoal.Attribute, error)
	rows    func(ctx context.Context, run *shoal.Run) export.Rows
}

func (d *database) send(ctx context.Context, p *parcel) Answer {
	job := sqltable.Job{Workspace: p.delivery.WorkspaceID}
	if err := p.read(&job.Config); err != nil {
		return Answer{Detail: err.Error(), final: true}
	}
	a := Answer{Target: job.Where()}
	if err := d.fill(ctx, p, &job); err != nil {
		a.Detail = "The results cannot be read: " + clip(err.Error(), maxDetail)
		return a
	}
	r, err := d.tables.Load(ctx, &job)
	if err == nil {
		a.OK, a.Detail = true, reported(&r, job.Try)
		return a
	}
	if bad, ok := errors.AsType[*sqltable.Error](err); ok {
		a.Detail, a.final = bad.Message, bad.Final
		return a
	}
	stalled, ok := errors.AsType[*sqltable.Stalled](err)
	if !ok {
		stalled = &sqltable.Stalled{}
	}
	a.Detail = explain(err, job.Host(), stalled.After)
	return a
}

// fill puts the run's rows into the job. A test has none, and of the fields it
// knows those that the settings name.
func (d *database) fill(ctx context.Context, p *parcel, job *sqltable.Job) error {
	if job.Try = p.delivery.Event == shoal.EventTest; job.Try {
		job.Attributes = named(&job.Config)
		return nil
	}
	run, err := d.run.RunByID(ctx, p.delivery.RunID)
	if err != nil {
		return err
	}
	if job.Attributes, err = d.columns(ctx, &run); err != nil {
		return err
	}
	job.Rows = d.rows(ctx, &run)
	return nil
}

// named are the fields that a config names.
func named(c *sqltable.Config) []shoal.Attribute {
	fields := slices.Concat(c.Key, c.Fields)
	for field := range c.Columns {
		fields = append(fields, field)
	}
	slices.Sort(fields)
	var all []shoal.Attribute
	for _, f := range slices.Compact(fields) {
		if !sqltable.Own(f) {
			all = append(all, shoal.Attribute{Name: f, Type: shoal.AttrString})
		}
	}
	return all
}

// reported tells what was done.
func reported(r *sqltable.Report, try bool) string {
	switch {
	case try && r.Left != "":
		return fmt.Sprintf("The table may be made and written; the test made the table %s and may not drop it: drop it yourself", r.Left)
	case try && r.Created:
		return "The table is not there; it may be made and written"
	case try:
		return "The table is there and may be written"
	}
	text := fmt.Sprintf("%s rows are in the table", grouped(r.Rows))
	if r.Created {
		text += ", which was made"
	}
	if r.Cleaned > 0 {
		text += fmt.Sprintf("; in %s values, characters that databases do not take (U+0000, broken UTF-8) became U+FFFD", grouped(r.Cleaned))
	}
	return text
}
