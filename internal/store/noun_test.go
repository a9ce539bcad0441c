package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/jobs"
	"shoal/internal/store/storetest"
)

// newTask is a task with one param, as the API would make it.
func newTask(param, value string) shoal.NewTask {
	params := fmt.Sprintf(`{"%s":"%s"}`, param, value)
	sum := sha256.Sum256([]byte(params))
	return shoal.NewTask{Params: []byte(params), Digest: [16]byte(sum[:16])}
}

// newTasks are the tasks from..upto-1 with the param, "url" or another.
func newTasks(param string, from, upto int) []shoal.NewTask {
	var all []shoal.NewTask
	for i := from; i < upto; i++ {
		all = append(all, newTask(param, fmt.Sprintf("https://site.test/%d", i)))
	}
	return all
}

// newSquid creates a squid of the env's workspace by the store.
func newSquid(t *testing.T, e *storetest.Env, name string) shoal.Squid {
	t.Helper()
	q, err := e.Store.CreateSquid(t.Context(), shoal.Squid{ID: shoal.NewID[shoal.SquidID](), WorkspaceID: e.Workspace,
		CrawlerID: storetest.CrawlerID, CrawlerSlug: "website", Name: name, Concurrency: 1}, "Website")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func addTasks(t *testing.T, e *storetest.Env, squid shoal.SquidID, tasks []shoal.NewTask) []shoal.Task {
	t.Helper()
	added, _, err := e.Store.AddTasks(t.Context(), e.Workspace, squid, tasks)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// window is page n of a list in pages of limit.
func window(n, limit int) shoal.Window { return shoal.Window{Page: n, Limit: limit} }

// pages reads a list from end to end and checks that every page agrees on the
// total and that there is nothing behind the last.
func pages[T any](t *testing.T, limit int, read func(w shoal.Window) (shoal.Listing[T], error)) []T {
	t.Helper()
	var all []T
	for n := 1; ; n++ {
		l, err := read(window(n, limit))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Items...)
		if len(l.Items) == 0 {
			if int64(len(all)) != l.Total {
				t.Fatalf("the pages hold %d, the total says %d", len(all), l.Total)
			}
			return all
		}
		if len(l.Items) < limit && int64(len(all)) != l.Total {
			t.Fatalf("page %d of %d holds %d, of %d in all", n, limit, len(l.Items), l.Total)
		}
	}
}

// collectRun runs a squid's tasks to the end: each task's page has the rows
// that rows gives for its number, from 1. The run is done then.
func collectRun(t *testing.T, e *storetest.Env, squid shoal.SquidID, rows func(task int64) []shoal.Row) shoal.Run {
	t.Helper()
	r := e.Run(t, squid, shoal.RunSettings{})
	l := e.Lease(t, r.ID, 0)
	for {
		work := e.Claim(t, l, 100)
		if len(work) == 0 {
			break
		}
		for _, w := range work {
			e.Commit(t, storetest.Page(l, w, rows(w.TaskSeq)...))
		}
	}
	return finish(t, e, r.ID, shoal.RunDone)
}

func finish(t *testing.T, e *storetest.Env, id shoal.RunID, status shoal.RunStatus) shoal.Run {
	t.Helper()
	r, err := e.Store.ChangeRun(t.Context(), id, "test", func(r *shoal.Run, now time.Time) (shoal.Effects, error) {
		r.Status, r.EndedAt = status, now
		return shoal.EffectDropLeases, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// oneRowEach gives every task of a run one row of its own, named after prefix.
func oneRowEach(prefix string) func(task int64) []shoal.Row {
	return func(task int64) []shoal.Row { return []shoal.Row{storetest.Row(fmt.Sprint(prefix, task))} }
}

// purge does what the purge jobs of the database ask for, as the handler would.
func purge(t *testing.T, e *storetest.Env, args jobs.PurgeArgs) {
	t.Helper()
	for {
		names, err := e.Store.DoomedBlobs(t.Context(), args)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 {
			break
		}
		if err := e.Store.ForgetBlobs(t.Context(), args, names); err != nil {
			t.Fatal(err)
		}
	}
	for more := true; more; {
		var err error
		if more, err = e.Store.Purge(t.Context(), args); err != nil {
			t.Fatal(err)
		}
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

// Another workspace's ids answer like ones that never existed, in every method.
func TestStrangersFindNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx, s := t.Context(), e.Store
		squid := newSquid(t, e, "mine")
		task := addTasks(t, e, squid.ID, newTasks("url", 0, 3))[0]
		run := collectRun(t, e, squid.ID, oneRowEach("r"))
		upload := shoal.TaskUpload{ID: shoal.NewID[shoal.UploadID](), WorkspaceID: e.Workspace, SquidID: squid.ID, Blob: "b", FileName: "f"}
		sync := newSync(e, "u", shoal.SyncSynchronized)
		account := shoal.Account{ID: sync.AccountID}
		chain := shoal.Chain{ID: shoal.NewID[shoal.ChainID](), SquidID: squid.ID, FieldMap: map[string]string{"a": "b"}}
		if err := errors.Join(s.CreateUpload(ctx, upload), s.SyncNow(ctx, sync, shoal.Session{Jar: []byte{1}}), s.SetChain(ctx, e.Workspace, chain, false)); err != nil {
			t.Fatal(err)
		}
		other, err := s.CreateUser(ctx, shoal.User{Email: "stranger@shoal.test"}, "other")
		if err != nil {
			t.Fatal(err)
		}
		ws, w := other.WorkspaceID, window(1, 10)
		squidErrs := map[string]func() error{
			"Squid":        func() error { _, err := s.Squid(ctx, ws, squid.ID); return err },
			"UpdateSquid":  func() error { _, err := s.UpdateSquid(ctx, ws, squid.ID, shoal.SquidPatch{}); return err },
			"SetDelivery":  func() error { return s.SetDelivery(ctx, ws, squid.ID, setTo(shoal.DeliveryConfig{})) },
			"PauseTarget":  func() error { return s.PauseTarget(ctx, ws, squid.ID, shoal.ChannelWebhook) },
			"ResumeTarget": func() error { return s.ResumeTarget(ctx, ws, squid.ID, shoal.ChannelWebhook) },
			"EmptySquid":   func() error { _, err := s.EmptySquid(ctx, ws, squid.ID, ""); return err },
			"DeleteSquid":  func() error { return s.DeleteSquid(ctx, ws, squid.ID) },
			"Chain":        func() error { _, err := s.Chain(ctx, ws, squid.ID); return err },
			"SetChain":     func() error { return s.SetChain(ctx, ws, chain, true) },
			"DeleteChain":  func() error { return s.DeleteChain(ctx, ws, squid.ID) },
			"AddTasks":     func() error { _, _, err := s.AddTasks(ctx, ws, squid.ID, newTasks("url", 5, 6)); return err },
			"Tasks":        func() error { _, err := s.Tasks(ctx, ws, squid.ID, "", w); return err },
			"CreateUpload": func() error {
				u := upload
				u.ID, u.WorkspaceID = shoal.NewID[shoal.UploadID](), ws
				return s.CreateUpload(ctx, u)
			},
			"ImportTasks": func() error {
				u := upload
				u.WorkspaceID, u.Line = ws, 1
				_, err := s.ImportTasks(ctx, u, newTasks("url", 5, 6))
				return err
			},
			"Runs": func() error { _, err := s.Runs(ctx, ws, squid.ID, w); return err },
			"Results": func() error {
				_, err := s.Results(ctx, shoal.ResultQuery{Workspace: ws, Squid: squid.ID}, w)
				return err
			},
			"ReadResults": func() error {
				_, err := s.ReadResults(ctx, shoal.ResultQuery{Workspace: ws, Squid: squid.ID, Limit: 5})
				return err
			},
		}
		for name, f := range squidErrs {
			wantErr(t, name, f(), shoal.ErrSquidNotFound)
		}
		runErrs := map[string]func() error{
			"Run":         func() error { _, err := s.Run(ctx, ws, run.ID); return err },
			"SharedRun":   func() error { _, err := s.SharedRun(ctx, run.ID); return err },
			"RunTasks":    func() error { _, err := s.RunTasks(ctx, ws, run.ID, w); return err },
			"Events":      func() error { _, err := s.Events(ctx, ws, run.ID, 0, 10); return err },
			"RunLog":      func() error { _, err := s.RunLog(ctx, ws, run.ID, w); return err },
			"RunTimeline": func() error { _, err := s.RunTimeline(ctx, ws, run.ID, w); return err },
			"RunCredits":  func() error { _, err := s.RunCredits(ctx, ws, run.ID); return err },
			"DeleteRun":   func() error { return s.DeleteRun(ctx, ws, run.ID) },
			"Results": func() error {
				_, err := s.Results(ctx, shoal.ResultQuery{Workspace: ws, Run: run.ID}, w)
				return err
			},
			"ReadResults": func() error {
				_, err := s.ReadResults(ctx, shoal.ResultQuery{Workspace: ws, Run: run.ID, Limit: 5})
				return err
			},
		}
		for name, f := range runErrs {
			wantErr(t, name, f(), shoal.ErrRunNotFound)
		}
		_, err = s.Task(ctx, ws, task.ID)
		wantErr(t, "Task", err, shoal.ErrTaskNotFound)
		wantErr(t, "DeleteTask", s.DeleteTask(ctx, ws, task.ID), shoal.ErrTaskNotFound)
		_, err = s.Upload(ctx, ws, upload.ID)
		wantErr(t, "Upload", err, shoal.ErrUploadNotFound)
		_, err = s.Account(ctx, ws, account.ID)
		wantErr(t, "Account", err, shoal.ErrAccountNotFound)
		_, err = s.UpdateAccount(ctx, ws, account.ID, nil)
		wantErr(t, "UpdateAccount", err, shoal.ErrAccountNotFound)
		wantErr(t, "DeleteAccount", s.DeleteAccount(ctx, ws, account.ID), shoal.ErrAccountNotFound)
		stolen := again(sync)
		stolen.Workspace, stolen.Made = ws, true
		wantErr(t, "SyncNow", s.SyncNow(ctx, stolen, shoal.Session{}), shoal.ErrAccountNotFound)
		wantErr(t, "CreateSync", s.CreateSync(ctx, stolen), shoal.ErrAccountNotFound)
		_, err = s.Credentials(ctx, ws, account.ID)
		wantErr(t, "Credentials", err, shoal.ErrAccountNotFound)
		_, err = s.FinishSync(ctx, shoal.Sync{ID: sync.ID, Workspace: ws}, nil)
		wantErr(t, "FinishSync", err, shoal.ErrSyncNotFound)
		_, err = s.WaitingLogin(ctx, ws, sync.TypeID, sync.Username)
		wantErr(t, "WaitingLogin", err, shoal.ErrSyncNotFound)
		_, err = s.Sync(ctx, ws, sync.ID)
		wantErr(t, "Sync", err, shoal.ErrSyncNotFound)
		theirs, err := s.CreateSquid(ctx, shoal.Squid{ID: shoal.NewID[shoal.SquidID](), WorkspaceID: ws, CrawlerID: "c", Name: "mine"}, "")
		if err != nil {
			t.Fatalf("a name that only another workspace has: %v", err)
		}
		_, err = s.UpdateSquid(ctx, ws, theirs.ID, shoal.SquidPatch{Accounts: &[]shoal.AccountID{account.ID}})
		wantErr(t, "link a stranger's account", err, shoal.ErrAccountNotFound)
		_, err = s.Results(ctx, shoal.ResultQuery{Workspace: ws, Squid: theirs.ID, Task: task.ID}, w)
		wantErr(t, "results of a stranger's task", err, shoal.ErrTaskNotFound)
		if _, err := s.User(ctx, ws, e.User); shoal.KindOf(err) != shoal.KindNotFound {
			t.Errorf("User: %v", err)
		}
		_, _, err = s.CreateKey(ctx, ws, e.User, "k", shoal.ScopeRead, time.Time{})
		if shoal.KindOf(err) != shoal.KindNotFound {
			t.Errorf("CreateKey for a stranger's user: %v", err)
		}
		keys, err := s.Keys(ctx, shoal.KeyFilter{Workspace: e.Workspace}, w)
		if err != nil || len(keys.Items) != 1 {
			t.Fatalf("%d keys, %v; want 1", len(keys.Items), err)
		}
		if _, err := s.Key(ctx, shoal.KeyFilter{Workspace: ws}, keys.Items[0].ID); shoal.KindOf(err) != shoal.KindNotFound {
			t.Errorf("Key: %v", err)
		}
		if err := s.RevokeKey(ctx, shoal.KeyFilter{Workspace: ws}, keys.Items[0].ID); shoal.KindOf(err) != shoal.KindNotFound {
			t.Errorf("RevokeKey: %v", err)
		}
		noLists(t, e, ws)
		// And nothing of it did any harm.
		if got, err := s.Squid(ctx, e.Workspace, squid.ID); err != nil || got.TaskCount != 3 || got.LastRun == nil || got.LastRun.UniqueResults != 3 {
			t.Errorf("the owner's squid afterwards: %+v, %v", got, err)
		}
	})
}

// noLists checks that a stranger's lists are empty but for a squid of its own.
func noLists(t *testing.T, e *storetest.Env, ws shoal.WorkspaceID) {
	t.Helper()
	ctx, w := t.Context(), window(1, 10)
	if l, err := e.Store.Runs(ctx, ws, "", w); err != nil || l.Total != 0 || len(l.Items) != 0 {
		t.Errorf("Runs: %+v, %v", l, err)
	}
	if l, err := e.Store.Accounts(ctx, ws, w); err != nil || l.Total != 0 || len(l.Items) != 0 {
		t.Errorf("Accounts: %+v, %v", l, err)
	}
	if l, err := e.Store.Squids(ctx, ws, "", w); err != nil || l.Total != 1 || l.Items[0].WorkspaceID != ws {
		t.Errorf("Squids: %+v, %v", l, err)
	}
}

// The answer of an idempotency key is kept with the effect, and only with it.
func TestAnswersAreKeptWithTheirEffect(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		squid := newSquid(t, e, "")
		keyed := func(key string) context.Context {
			return shoal.WithIdempotency(t.Context(), &shoal.Idempotency{WorkspaceID: e.Workspace, Route: "POST /v1/tasks", Key: key,
				BodyHash: [32]byte{1}, Render: func(result any) (int, []byte) {
					added := result.(shoal.AddedTasks)
					return 200, fmt.Appendf(nil, "%d added, %d known", len(added.Tasks), added.Duplicates)
				}})
		}
		if _, _, err := e.Store.AddTasks(keyed("k1"), e.Workspace, squid.ID, append(newTasks("url", 0, 3), newTask("url", "https://site.test/0"))); err != nil {
			t.Fatal(err)
		}
		a, ok, err := e.Store.SavedAnswer(t.Context(), e.Workspace, "POST /v1/tasks", "k1")
		if err != nil || !ok || a.Status != 200 || string(a.Body) != "3 added, 1 known" || a.BodyHash != [32]byte{1} {
			t.Fatalf("saved %+v %s, %v, %v", a, a.Body, ok, err)
		}
		if _, _, err := e.Store.AddTasks(keyed("k1"), e.Workspace, squid.ID, newTasks("url", 3, 6)); shoal.KindOf(err) != shoal.KindConflict {
			t.Fatalf("a second effect under the key: %v, want a conflict", err)
		}
		if _, _, err := e.Store.AddTasks(keyed("k2"), e.Workspace, "nope", newTasks("url", 3, 6)); !errors.Is(err, shoal.ErrSquidNotFound) {
			t.Fatal(err)
		}
		if _, ok, err := e.Store.SavedAnswer(t.Context(), e.Workspace, "POST /v1/tasks", "k2"); ok || err != nil {
			t.Fatalf("an answer without an effect: %v, %v", ok, err)
		}
		if l, err := e.Store.Tasks(t.Context(), e.Workspace, squid.ID, "", window(1, 10)); err != nil || l.Total != 3 {
			t.Fatalf("%d tasks, %v; want 3", l.Total, err)
		}
		e.Exec(t, `UPDATE idempotency_keys SET created_at = created_at - 90000000000`)
		if _, ok, err := e.Store.SavedAnswer(t.Context(), e.Workspace, "POST /v1/tasks", "k1"); ok || err != nil {
			t.Fatalf("an answer of yesterday: %v, %v", ok, err)
		}
	})
}

// names joins what f says of each item.
func names[T any](items []T, f func(T) string) string {
	var all []string
	for _, i := range items {
		all = append(all, f(i))
	}
	return strings.Join(all, " ")
}
