package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/store/storetest"
)

func squidName(q shoal.Squid) string { return q.Name }

func TestSquidNames(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		one, two := newSquid(t, e, ""), newSquid(t, e, "")
		if one.Name != "Website (1)" || two.Name != "Website (2)" {
			t.Fatalf("named %q and %q", one.Name, two.Name)
		}
		newSquid(t, e, "Website (4)")
		if err := e.Store.DeleteSquid(ctx, e.Workspace, one.ID); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Website (1)", "Website (3)", "Website (5)"} {
			if got := newSquid(t, e, "").Name; got != want {
				t.Errorf("named %q, want the first free: %q", got, want)
			}
		}
		_, err := e.Store.CreateSquid(ctx, shoal.Squid{ID: shoal.NewID[shoal.SquidID](), WorkspaceID: e.Workspace, CrawlerID: "c", Name: two.Name}, "")
		if shoal.CodeOf(err) != "DuplicateSquid" {
			t.Errorf("a name twice: %v", err)
		}
		name := two.Name
		if _, err := e.Store.UpdateSquid(ctx, e.Workspace, newSquid(t, e, "x").ID, shoal.SquidPatch{Name: &name}); shoal.CodeOf(err) != "DuplicateSquid" {
			t.Errorf("renamed to a name twice: %v", err)
		}
	})
}

func TestSquidUpdate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "Été 100%")
		var accounts []shoal.AccountID
		for i := range 2 {
			a := newSync(e, fmt.Sprint("u", i), shoal.SyncSynchronized)
			if err := e.Store.SyncNow(ctx, a, shoal.Session{Jar: []byte{1}}); err != nil {
				t.Fatal(err)
			}
			accounts = append(accounts, a.AccountID)
		}
		no, yes, three, cron, zone, notify := false, true, 3, "0 9 * * *", "Europe/Paris", "on_error"
		got, err := e.Store.UpdateSquid(ctx, e.Workspace, q.ID, shoal.SquidPatch{IsActive: &no, Concurrency: &three, ToComplete: &yes,
			ExportUniqueResults: &yes, NoLineBreaks: &yes, RunNotify: &notify, CronExpression: &cron, Timezone: &zone,
			Params: map[string]any{"max_results": int64(1) << 60, "ratio": 0.5, "tags": []any{"a", int64(1)}}, Functions: map[string]any{"text": true},
			Accounts: &accounts})
		if err != nil {
			t.Fatal(err)
		}
		if got.IsActive || got.Concurrency != 3 || !got.ToComplete || !got.ExportUniqueResults || !got.NoLineBreaks || got.RunNotify != notify ||
			got.CronExpression != cron || got.Timezone != zone || got.Name != "Été 100%" || len(got.Accounts) != 2 {
			t.Errorf("%+v", got)
		}
		if got.Params["max_results"] != int64(1)<<60 || got.Params["ratio"] != 0.5 || fmt.Sprint(got.Params["tags"]) != "[a 1]" || got.Functions["text"] != true {
			t.Errorf("params %v, functions %v", got.Params, got.Functions)
		}
		got, err = e.Store.UpdateSquid(ctx, e.Workspace, q.ID, shoal.SquidPatch{Accounts: &[]shoal.AccountID{}, Params: map[string]any{}})
		if err != nil || len(got.Accounts) != 0 || len(got.Params) != 0 || got.Concurrency != 3 || got.Functions["text"] != true {
			t.Errorf("%+v, %v; want accounts and params gone, the rest as it was", got, err)
		}
		d := shoal.DeliveryConfig{Email: "a@b.test", Notify: true, NotifySince: time.Unix(5, 0).UTC(), Webhook: []byte{0, 1, 255}}
		if err := e.Store.SetDelivery(ctx, e.Workspace, q.ID, setTo(d)); err != nil {
			t.Fatal(err)
		}
		if got, err := e.Store.Squid(ctx, e.Workspace, q.ID); err != nil || fmt.Sprint(got.Delivery) != fmt.Sprint(d) {
			t.Errorf("delivery %+v, %v", got.Delivery, err)
		}
	})
}

// setTo replaces what a squid's deliveries are.
func setTo(d shoal.DeliveryConfig) func(*shoal.DeliveryConfig) ([]shoal.Channel, error) {
	return func(stored *shoal.DeliveryConfig) ([]shoal.Channel, error) {
		*stored = d
		return nil, nil
	}
}

func TestSquidList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		for _, name := range []string{"ÉTÉ", "a_b", "axb", "100%", "b", "c"} {
			newSquid(t, e, name)
		}
		for part, want := range map[string]string{"": "c b 100% axb a_b ÉTÉ", "été": "ÉTÉ", "B": "b axb a_b", "_": "a_b", "%": "100%", `\`: ""} {
			got := pages(t, 2, func(w shoal.Window) (shoal.Listing[shoal.Squid], error) {
				return e.Store.Squids(ctx, e.Workspace, part, w)
			})
			if s := names(got, squidName); s != want {
				t.Errorf("named %q: %s; want %s", part, s, want)
			}
		}
		// Pages that no list has are empty, however far.
		for _, w := range []shoal.Window{window(1<<62, 100), window(100, 100)} {
			if l, err := e.Store.Squids(ctx, e.Workspace, "", w); err != nil || l.Total != 6 || len(l.Items) != 0 {
				t.Errorf("window %v: %d of %d, %v", w, len(l.Items), l.Total, err)
			}
		}
	})
}

// A list shows each squid's own newest run, tasks and accounts.
func TestSquidListIsComplete(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		for i := range 3 {
			q := newSquid(t, e, fmt.Sprint("s", i))
			addTasks(t, e, q.ID, newTasks("url", 0, i+1))
			for range i {
				collectRun(t, e, q.ID, oneRowEach("r"))
			}
		}
		l, err := e.Store.Squids(t.Context(), e.Workspace, "", window(1, 50))
		if err != nil {
			t.Fatal(err)
		}
		got := names(l.Items, func(q shoal.Squid) string {
			results := int64(-1)
			if q.LastRun != nil {
				results = q.LastRun.UniqueResults
			}
			return fmt.Sprint(q.Name, ":", q.TaskCount, q.IsReady(), q.TotalRuns, " ", results)
		})
		if want := "s2:3 true 2 3 s1:2 true 1 2 s0:1 true 0 -1"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
	})
}

// Deleting a squid ends its run: a page on its way is refused, and nobody finds
// anything of it again; the purge leaves no row behind.
func TestDeleteSquidEndsItsRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "mine")
		task := addTasks(t, e, q.ID, newTasks("url", 0, 3))[0]
		first := collectRun(t, e, q.ID, func(int64) []shoal.Row { return []shoal.Row{storetest.Row("same")} })
		run := e.Run(t, q.ID, shoal.RunSettings{CreditsPerRow: 5})
		l := e.Lease(t, run.ID, 0)
		work := e.Claim(t, l, 3)
		e.Commit(t, storetest.Page(l, work[0], storetest.Row("a")))
		up := shoal.TaskUpload{ID: shoal.NewID[shoal.UploadID](), WorkspaceID: e.Workspace, SquidID: q.ID, Blob: "up", FileName: "f"}
		err := errors.Join(e.Store.CreateUpload(ctx, up), e.Store.SetChain(ctx, e.Workspace, shoal.Chain{ID: shoal.NewID[shoal.ChainID](), SquidID: q.ID}, false),
			e.Store.SaveExport(ctx, shoal.Export{RunID: first.ID, Format: shoal.FormatCSV, Blob: "x"}))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Store.DeleteSquid(ctx, e.Workspace, q.ID); err != nil {
			t.Fatal(err)
		}
		_, err = e.Store.CommitPage(ctx, storetest.Page(l, work[1], storetest.Row("b")))
		wantErr(t, "a page of a deleted squid", err, shoal.ErrFenced)
		_, err = e.Store.Squid(ctx, e.Workspace, q.ID)
		wantErr(t, "Squid", err, shoal.ErrSquidNotFound)
		wantErr(t, "DeleteSquid again", e.Store.DeleteSquid(ctx, e.Workspace, q.ID), shoal.ErrSquidNotFound)
		for _, id := range []shoal.RunID{first.ID, run.ID} {
			_, err = e.Store.Run(ctx, e.Workspace, id)
			wantErr(t, "Run", err, shoal.ErrRunNotFound)
		}
		if r, err := e.Store.RunByID(ctx, run.ID); err == nil && !r.Status.Terminal() {
			t.Errorf("the run is %s, %v; want it ended", r.Status, err)
		}
		_, err = e.Store.Task(ctx, e.Workspace, task.ID)
		wantErr(t, "Task", err, shoal.ErrTaskNotFound)
		_, err = e.Store.Upload(ctx, e.Workspace, up.ID)
		wantErr(t, "Upload", err, shoal.ErrUploadNotFound)
		if l, err := e.Store.Runs(ctx, e.Workspace, "", window(1, 10)); err != nil || l.Total != 0 {
			t.Errorf("Runs: %d, %v", l.Total, err)
		}
		if b, err := e.Store.Balance(ctx, e.Workspace); err != nil || b.Consumed != 5 || b.UsedSlots != 0 {
			t.Errorf("balance %+v, %v; want what was spent, and no slot used", b, err)
		}
		pk := e.Int(t, `SELECT pk FROM squids WHERE id = $1`, string(q.ID))
		purge(t, e, jobs.PurgeArgs{Noun: "squid", PK: pk})
		for _, table := range []string{"tasks", "results", "runs", "run_tasks", "run_events", "result_links", "frontier", "leases", "exports", "task_uploads", "chains", "gaps"} {
			if n := e.Int(t, `SELECT count(*) FROM `+table); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
		if n := e.Int(t, `SELECT count(*) FROM squids`); n != 1 {
			t.Errorf("the squid's row is gone before its rest is over")
		}
		e.Exec(t, `UPDATE squids SET deleted_at = deleted_at - 2592000000000`)
		purge(t, e, jobs.PurgeArgs{Noun: "squid", PK: pk})
		if n := e.Int(t, `SELECT count(*) FROM squids`); n != 0 {
			t.Errorf("the squid's row is left after 30 days")
		}
		if n := e.Int(t, `SELECT count(*) FROM ledger`); n != 2 {
			t.Errorf("%d entries of the ledger, want one for each run: it outlives the squid", n)
		}
	})
}

// A living squid is not purged by a job that names it.
func TestPurgeSparesTheLiving(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		q := newSquid(t, e, "")
		addTasks(t, e, q.ID, newTasks("url", 0, 3))
		r := collectRun(t, e, q.ID, oneRowEach("r"))
		if _, err := e.Store.Purge(t.Context(), jobs.PurgeArgs{Noun: "squid", PK: q.PK}); err == nil {
			t.Error("a living squid was purged")
		}
		for _, args := range []jobs.PurgeArgs{{Noun: "run", PK: r.PK}, {Noun: "tasks", PK: q.PK}, {Noun: "results", PK: q.PK}} {
			purge(t, e, args)
		}
		if _, err := e.Store.Purge(t.Context(), jobs.PurgeArgs{Noun: "planet", PK: 1}); err == nil {
			t.Error("an unknown noun was purged")
		}
		storetest.Check(t, e, r.ID)
		if l, err := e.Store.Tasks(t.Context(), e.Workspace, q.ID, "", window(1, 9)); err != nil || l.Total != 3 || len(l.Items) != 3 || l.Items[0].Last == nil {
			t.Errorf("tasks %+v, %v", l, err)
		}
	})
}

func TestChain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		q := newSquid(t, e, "")
		_, err := e.Store.Chain(ctx, e.Workspace, q.ID)
		wantErr(t, "no chain", err, shoal.ErrChainNotFound)
		c := shoal.Chain{ID: shoal.NewID[shoal.ChainID](), SquidID: q.ID, TargetCrawler: "c", FieldMap: map[string]string{"url": "link"}, IsActive: true, ClusterName: "n", ClusterConcurrency: 2}
		if err := e.Store.SetChain(ctx, e.Workspace, c, false); err != nil {
			t.Fatal(err)
		}
		if err := e.Store.SetChain(ctx, e.Workspace, c, false); shoal.KindOf(err) != shoal.KindConflict {
			t.Errorf("a second chain: %v, want a conflict", err)
		}
		changed := c
		changed.Autostart, changed.FieldMap = true, map[string]string{"a": "b"}
		if err := e.Store.SetChain(ctx, e.Workspace, changed, true); err != nil {
			t.Fatal(err)
		}
		got, err := e.Store.Chain(ctx, e.Workspace, q.ID)
		if changed.CreatedAt = got.CreatedAt; err != nil || fmt.Sprint(got) != fmt.Sprint(changed) || got.CreatedAt.IsZero() {
			t.Errorf("%+v, %v; want %+v", got, err, changed)
		}
		if err := e.Store.DeleteChain(ctx, e.Workspace, q.ID); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "deleted twice", e.Store.DeleteChain(ctx, e.Workspace, q.ID), shoal.ErrChainNotFound)
	})
}
