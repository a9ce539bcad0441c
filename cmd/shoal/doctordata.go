package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/jobs"
	"shoal/internal/store"
)

// database checks the schema and the file; false when no more can be read.
func (d *doctor) database(ctx context.Context, i *store.Inspection) bool {
	has, wants, err := i.Schema(ctx)
	switch {
	case err != nil:
		d.failed("database", err, "is this Shoal's database? If the file is damaged, restore a backup")
		return false
	case has > wants:
		d.found("database", broken, fmt.Sprintf("its schema has version %d, this program knows %d", has, wants), "use the newer program that wrote it")
		return false
	case has < wants:
		d.found("database", warning, fmt.Sprintf("its schema has version %d, this program needs %d", has, wants), "back up, then start: shoal serve brings it up to date")
		return false
	}
	d.ok("database", "its schema has version %d, as it should", has)
	damage, err := i.Damage(ctx)
	switch {
	case err != nil:
		d.failed("data file", err, "restore a backup")
		return false
	case len(damage) > 0:
		d.found("data file", broken, strings.Join(strings.Fields(damage[0]), " "), "stop the server, keep a copy of the directory, and restore a backup")
		return false
	}
	d.ok("data file", "it was read through and is whole")
	return true
}

// people checks that somebody can administer the server.
func (d *doctor) people(ctx context.Context, i *store.Inspection) {
	staff, keys, err := i.Admins(ctx, d.now())
	switch {
	case err != nil:
		d.failed("staff", err, "")
	case staff == 0:
		d.found("staff", broken, "no active user is one of the staff", "stop the server; then: shoal admin user enable USER, shoal admin user update USER --staff")
	case keys == 0:
		d.found("staff", warning, fmt.Sprintf("%s active, and no admin key of theirs in force", plural(int64(staff), "member")),
			"stop the server and make one: shoal admin key create NAME --scope admin --user USER")
	default:
		d.ok("staff", "%s active, with %s in force", plural(int64(staff), "member"), plural(int64(keys), "admin key"))
	}
}

// time checks that clocks agree, and that ours was not set back.
func (d *doctor) time(ctx context.Context, i *store.Inspection) {
	const slack = 5 * time.Second
	database, newest, err := i.Clock(ctx)
	if err != nil {
		d.failed("clock", err, "")
		return
	}
	const remedy = "let a time service (chrony, systemd-timesyncd) keep the clock; schedules and leases go by it"
	if ahead := newest.Sub(d.now()).Round(time.Second); ahead > slack {
		d.found("clock", broken, fmt.Sprintf("something happened %v from now by this machine's clock: it was set back, or another machine's is ahead", ahead), remedy)
		return
	}
	d.clocks("the database's clock", database, d.now())
}

// credits checks that every balance is what was granted less what was spent.
func (d *doctor) credits(ctx context.Context, i *store.Inspection) {
	off, err := i.Unbalanced(ctx)
	if err != nil {
		d.failed("credits", err, "")
		return
	}
	for _, u := range off {
		d.found("credits", broken, fmt.Sprintf("workspace %s has a balance of %v, and its movements and ledger make %v",
			u.Workspace, u.Balance.Float(), u.Sum.Float()), "this is a fault of Shoal: please report it; grant or take the difference meanwhile")
	}
	if len(off) == 0 {
		d.ok("credits", "every balance is the sum of its movements and its ledger")
	}
}

// stuckAfter is how long a job that is due, or a run that works, may show no
// progress before the doctor says so.
const stuckAfter = 10 * time.Minute

// queue checks that what waits for work gets it.
func (d *doctor) queue(ctx context.Context, i *store.Inspection) {
	piles, alive, err := i.Jobs(ctx)
	if err != nil {
		d.failed("jobs", err, "")
		return
	}
	unfinished, err := i.Runs(ctx)
	if err != nil {
		d.failed("runs", err, "")
		return
	}
	before := len(d.findings)
	for _, p := range piles {
		d.pile(p, alive)
	}
	if len(d.findings) == before {
		d.ok("jobs", "none is stuck; processes that work them: %d", alive)
	}
	before = len(d.findings)
	for _, r := range unfinished {
		d.unfinished(r, alive)
	}
	if len(d.findings) == before {
		d.ok("runs", "none is unfinished")
	}
}

func (d *doctor) pile(p jobs.Pile, alive int) {
	due := d.now().Sub(p.Oldest).Round(time.Second)
	found := fmt.Sprintf("%s of kind %s, %s", plural(p.Count, "job"), p.Kind, p.State)
	switch {
	case p.State == "discarded":
		d.found("jobs", warning, found+": given up after many attempts", "the server's log says why at the time of each; start the run, upload or deletion again")
	case p.State == "completed", p.State == "cancelled", p.State == "running", due < stuckAfter:
	case alive == 0:
		d.found("jobs", warning, fmt.Sprintf("%s, due for %v, and no process works them", found, due), "start one: shoal serve")
	default:
		d.found("jobs", broken, fmt.Sprintf("%s, due for %v", found, due), "the server has too few --workers for its runs, or hangs: look at its log, then start it anew (nothing is lost)")
	}
}

func (d *doctor) unfinished(r store.Runs, alive int) {
	still := d.now().Sub(r.Since).Round(time.Second)
	found := fmt.Sprintf("%s %s", plural(r.Count, "run"), r.Status)
	switch {
	case r.Status == shoal.RunPaused && r.Reason == "":
		d.ok("runs", "%s by hand, the oldest (%s) for %v; resume with: shoal run resume RUN", found, r.Oldest, still)
	case r.Status == shoal.RunPaused:
		d.ok("runs", "%s: %s, the oldest (%s) for %v; its done_reason_desc says what to do", found, r.Reason, r.Oldest, still)
	case alive == 0:
		d.found("runs", warning, found+", and no process works them", "start one: shoal serve; they go on where they were")
	case still > stuckAfter:
		d.found("runs", warning, fmt.Sprintf("%s; %s has shown no progress for %v", found, r.Oldest, still), "shoal run log "+string(r.Oldest)+" says what it waits for")
	default:
		d.ok("runs", "%s", found)
	}
}

// files checks that the files which the newest exports and uploads name are there.
func (d *doctor) files(ctx context.Context, i *store.Inspection, f *homeFlags) {
	looked, there := 10_000, func(name string) error {
		_, err := os.Stat(filepath.Join(f.Data, "files", filepath.FromSlash(name)))
		return err
	}
	bucket, err := f.Storage.s3()
	if err == nil && bucket != nil {
		looked, there = 200, func(name string) error { // each is a question to the bucket's server
			file, err := bucket.Open(ctx, name)
			if err != nil {
				return err
			}
			return file.Close()
		}
		err = bucket.Check(ctx)
	}
	if err != nil {
		d.failed("files", err, "runs end as export_failed until the bucket answers; mend it, then POST /v1/runs/{id}/export")
		return
	}
	var named, missing int64
	first := ""
	err = i.Files(ctx, looked, func(name string) {
		named++
		if err := there(name); errors.Is(err, fs.ErrNotExist) || errors.Is(err, blob.ErrNotFound) {
			if missing++; missing == 1 {
				first = name
			}
		}
	})
	switch {
	case err != nil:
		d.failed("files", err, "")
	case missing > 0:
		d.found("files", warning, fmt.Sprintf("%d of %d export and upload files are missing, %s first", missing, named, first),
			"nothing is lost: an export is made again when somebody asks for it; or put them back from a backup")
	default:
		d.ok("files", "all %s that exports and uploads name are there", plural(named, "file"))
	}
}
