package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"shoal"
	"shoal/internal/store/storetest"
)

// Export bookkeeping is replaced, not repeated.
func TestExports(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
		at := time.UnixMicro(5).UTC()
		x := shoal.Export{RunID: run.ID, Format: shoal.FormatCSV, Form: shoal.ExportForm{Format: shoal.FormatCSV}, State: shoal.ExportDone,
			Blob: "a.csv", Size: 1, ETag: "e", Rows: 2, Total: 2, CreatedAt: at, UpdatedAt: at, UsedAt: at}
		if _, err := e.Store.ExportOf(t.Context(), run.ID, x.Format, ""); !errors.Is(err, shoal.ErrRunNotFound) {
			t.Fatalf("no export: %v, want ErrRunNotFound", err)
		}
		for range 2 {
			x.Size++
			if err := e.Store.SaveExport(t.Context(), x); err != nil {
				t.Fatal(err)
			}
		}
		got, err := e.Store.ExportOf(t.Context(), run.ID, x.Format, "")
		if err != nil || !reflect.DeepEqual(got, x) {
			t.Errorf("%+v, %v; want %+v", got, err, x)
		}
		if err := e.Store.UseExport(t.Context(), &got); err != nil {
			t.Fatal(err)
		}
		if used, err := e.Store.ExportOf(t.Context(), run.ID, x.Format, ""); err != nil || time.Since(used.UsedAt) > time.Hour || used.CreatedAt != at {
			t.Errorf("used at %v, %v", used.UsedAt, err)
		}
		if err := e.Store.ForgetExport(t.Context(), run.ID, x.Format, ""); err != nil {
			t.Fatal(err)
		}
		if all, err := e.Store.Exports(t.Context(), e.Workspace, run.ID); err != nil || len(all) != 0 {
			t.Errorf("forgotten, and there are %d, %v", len(all), err)
		}
	})
}

// TestWantExport: whoever asks while a file is there or on its way gets it; one
// that failed, went missing or stands still for long is wanted anew.
func TestWantExport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		ctx := t.Context()
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
		form := shoal.ExportForm{Format: shoal.FormatJSONL, Fields: []string{"title", "url"}}
		want := func(missing bool, state shoal.ExportState, jobs int) shoal.Export {
			t.Helper()
			x, err := e.Store.WantExport(ctx, run.ID, form, 7, missing)
			if err != nil || x.State != state || x.Variant != form.Variant() || x.Blob != x.BlobName() || len(x.Form.Fields) != 2 {
				t.Fatalf("%+v, %v; want it %s", x, err, state)
			}
			if n := int(e.Int(t, `SELECT count(*) FROM river_job WHERE kind = 'convert'`)); n != jobs {
				t.Errorf("%d jobs, want %d", n, jobs)
			}
			return x
		}
		want(false, shoal.ExportPending, 1)
		x := want(false, shoal.ExportPending, 1)
		if x.Total != 7 {
			t.Errorf("of %d rows", x.Total)
		}
		x.State, x.Rows = shoal.ExportConverting, 3
		if err := e.Store.NoteExport(ctx, &x); err != nil {
			t.Fatal(err)
		}
		if x = want(false, shoal.ExportConverting, 1); x.Rows != 3 {
			t.Errorf("%d rows are noted", x.Rows)
		}
		if _, err := e.Store.ExportOf(ctx, run.ID, x.Format, x.Variant); !errors.Is(err, shoal.ErrRunNotFound) {
			t.Errorf("half a file is found: %v", err)
		}
		x.State, x.Error = shoal.ExportError, "no room"
		if err := e.Store.NoteExport(ctx, &x); err != nil {
			t.Fatal(err)
		}
		if x = want(false, shoal.ExportPending, 2); x.Error != "" || x.Rows != 0 {
			t.Errorf("wanted anew: %+v", x)
		}
		x.Size, x.Rows, x.CreatedAt = 10, 7, time.Now()
		if err := e.Store.SaveExport(ctx, x); err != nil {
			t.Fatal(err)
		}
		x.State = shoal.ExportConverting
		if err := e.Store.NoteExport(ctx, &x); err != nil { // of a job that comes late
			t.Fatal(err)
		}
		want(false, shoal.ExportDone, 2)
		want(true, shoal.ExportPending, 3)
		if _, err := e.Store.WantExport(ctx, shoal.NewID[shoal.RunID](), form, 0, false); !errors.Is(err, shoal.ErrRunNotFound) {
			t.Errorf("of no run: %v", err)
		}
	})
}

// TestFormsOfARunAreBounded: each file is as large as the results.
func TestFormsOfARunAreBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		run := e.Run(t, e.Squid(t, 1), shoal.RunSettings{})
		var err error
		made := 0
		for ; err == nil && made < 1000; made++ {
			form := shoal.ExportForm{Format: shoal.FormatJSONL, Fields: []string{fmt.Sprint("f", made)}}
			_, err = e.Store.WantExport(t.Context(), run.ID, form, 0, false)
		}
		if shoal.CodeOf(err) != "UsageLimitExceeded" || made != 41 {
			t.Fatalf("after %d forms: %v", made, err)
		}
		all, err := e.Store.Exports(t.Context(), e.Workspace, run.ID)
		if err != nil || len(all) != 40 {
			t.Fatalf("%d files, %v", len(all), err)
		}
		ids := map[string]bool{}
		for i := range all {
			ids[all[i].ID()] = true
		}
		if len(ids) != 40 {
			t.Errorf("%d ids of 40 files", len(ids))
		}
		other, err := e.Store.CreateUser(t.Context(), shoal.User{Email: "other@shoal.test"}, "other")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Store.Exports(t.Context(), other.WorkspaceID, run.ID); !errors.Is(err, shoal.ErrRunNotFound) {
			t.Errorf("by a stranger: %v", err)
		}
	})
}
