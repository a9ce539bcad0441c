package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"shoal/client"
	"shoal/internal/store"
)

// adminDoctor checks an installation; the checks are in doctor….go.
type adminDoctor struct {
	adminFlags
	MinFree int64 `help:"MiB that must be free on the disk, as serve has it." default:"256" env:"SHOAL_MIN_FREE" placeholder:"MIB"`
}

// Help is the long help of the verb.
func (adminDoctor) Help() string {
	return `Checks the data directory, or the PostgreSQL database, and says of each thing that is wrong
what to do. It changes nothing, and a server may run meanwhile. With --server, what can be
seen from outside: whether it answers, is ready and of this version, the key, the clocks.
Ends with 1 if something is broken; a warning does not count as that.`
}

// Run does the verb.
func (c *adminDoctor) Run(ctx context.Context, o *output) error {
	d := &doctor{now: time.Now}
	if c.Server != "" {
		d.server(ctx, &c.adminFlags)
	} else {
		if err := c.exists(); err != nil {
			return err
		}
		d.home(ctx, &c.homeFlags, c.MinFree<<20)
	}
	return d.report(o, c.JSON)
}

// state is how bad a finding is.
type state string

const (
	fine    state = "ok"
	warning state = "warning"
	broken  state = "broken"
)

// finding is what one check found, and what to do about it.
type finding struct {
	Check  string `json:"check"`
	State  state  `json:"state"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

// doctor collects findings.
type doctor struct {
	now      func() time.Time
	findings []finding
}

func (d *doctor) ok(check, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, State: fine, Found: fmt.Sprintf(format, args...)})
}

// found notes something that is wrong; remedy is what mends it.
func (d *doctor) found(check string, s state, found, remedy string) {
	d.findings = append(d.findings, finding{check, s, found, remedy})
}

// failed notes a check that could not be made.
func (d *doctor) failed(check string, err error, remedy string) {
	d.found(check, broken, err.Error(), remedy)
}

// report prints the findings; something broken makes the verb fail.
func (d *doctor) report(o *output, asJSON bool) error {
	count := map[state]int64{}
	for _, f := range d.findings {
		count[f.State]++
	}
	if asJSON {
		if err := printJSON(o.out, d.findings); err != nil {
			return err
		}
	} else {
		for _, f := range d.findings {
			o.printf("%-8s %-13s %s\n", f.State, f.Check, f.Found)
			if f.Remedy != "" {
				o.printf("         %-13s → %s\n", "", f.Remedy)
			}
		}
	}
	if count[broken] > 0 {
		return &exit{exitFailed, fmt.Errorf("%s wrong, %s", plural(count[broken], "thing"), plural(count[warning], "warning"))}
	}
	if count[warning] > 0 {
		o.notef("Nothing is broken; %s.\n", plural(count[warning], "warning"))
		return nil
	}
	o.notef("All is well.\n")
	return nil
}

// server checks what can be seen of a running server.
func (d *doctor) server(ctx context.Context, f *adminFlags) {
	api := client.New(f.Server, f.Token, nil)
	health, date, err := api.Health(ctx, "/healthz")
	if err != nil {
		d.failed("server", err, "start it with: shoal serve; or name another: --server (SHOAL_SERVER)")
		return
	}
	if health.Version == version {
		d.ok("server", "%s answers, version %s", f.Server, version)
	} else {
		d.found("server", warning, fmt.Sprintf("%s is version %s, this program is %s", f.Server, health.Version, version), "use the same version on both sides")
	}
	if _, _, err := api.Health(ctx, "/readyz"); err != nil {
		d.failed("ready", err, "the server's log says why; run shoal admin doctor on its machine, without --server")
	} else {
		d.ok("ready", "its database answers")
	}
	d.clocks("the server's clock", date, d.now())
	me, err := api.Me(ctx)
	switch answer, answered := errors.AsType[*client.Error](err); {
	case answered && answer.Status == http.StatusUnauthorized:
		d.found("key", broken, "the server does not accept the key", "make one on its machine: shoal admin key create NAME --scope admin; pass it by --key or SHOAL_TOKEN")
	case err != nil:
		d.failed("key", err, "")
	case !me.IsStaff:
		d.found("key", warning, me.Email+" is not one of the staff, so that the other admin verbs are refused", "a member of staff may say: shoal admin user update "+me.Email+" --staff")
	default:
		d.ok("key", "it is a key of %s, one of the staff", me.Email)
	}
}

// clocks compares a clock with ours.
func (d *doctor) clocks(whose string, theirs, ours time.Time) {
	const apart = 2 * time.Second // the header counts seconds
	if diff := theirs.Sub(ours).Round(time.Second); diff > apart || diff < -apart {
		d.found("clock", warning, fmt.Sprintf("%s differs from this machine's by %v", whose, diff), "let a time service (chrony, systemd-timesyncd) keep the clocks of all machines")
		return
	}
	d.ok("clock", "%s agrees with this machine's", whose)
}

// home checks the data directory and the database.
func (d *doctor) home(ctx context.Context, f *homeFlags, minFree int64) {
	d.directory(f)
	d.disk(f.Data, minFree)
	d.secretKey(f)
	d.openFiles()
	i, err := store.Inspect(ctx, store.Options{DataDir: f.Data, DatabaseURL: f.Database})
	if err != nil {
		d.failed("database", err, "if the file is damaged, restore a backup: shoal serve --data BACKUP; PostgreSQL: is it running, and SHOAL_DATABASE right?")
		return
	}
	defer i.Close()
	if d.database(ctx, i) {
		d.people(ctx, i)
		d.time(ctx, i)
		d.queue(ctx, i)
		d.credits(ctx, i)
		d.files(ctx, i, f)
	}
	d.definitions(f.Data)
}

// mode is the permissions of a file in the form that chmod takes.
func mode(info os.FileInfo) string { return fmt.Sprintf("%03o", info.Mode().Perm()) }
