package runs_test

import (
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/jobs"
	"shoal/internal/runs"
)

// read reads an export to its end.
func (w *world) read(id shoal.RunID, form shoal.ExportForm) (string, int64, bool) {
	w.t.Helper()
	r, size, err := w.svc.OpenExport(w.t.Context(), id, form)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		w.t.Fatal(err)
	}
	_, stored := r.(*blob.Object)
	return string(text), size, stored
}

// TestOpenExport: the stored file if there is one, else the rows as they are
// read, which come out as the same bytes.
func TestOpenExport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		run := w.awaitStatus(w.start(w.squid(1, nil, tree(t, 30, nil).URL+"/0")).ID, shoal.RunDone)
		plain := shoal.ExportForm{Format: shoal.FormatCSV}
		file, size, stored := w.read(run.ID, plain)
		if !stored || size != int64(len(file)) {
			t.Errorf("the file of the run's end: stored %v, %d bytes of %d", stored, len(file), size)
		}
		if err := os.Remove(filepath.Join(w.files, "runs", string(run.ID), "results.csv")); err != nil {
			t.Fatal(err)
		}
		again, size, stored := w.read(run.ID, plain)
		if stored || size != -1 || again != file {
			t.Errorf("without the file: stored %v, size %d, the same bytes: %v", stored, size, again == file)
		}
		some, _, _ := w.read(run.ID, shoal.ExportForm{Format: shoal.FormatCSV, Fields: []string{"title", "url"}, Omit: []string{"url"}})
		if rows, err := csv.NewReader(strings.NewReader(some)).ReadAll(); err != nil || len(rows) != 31 || len(rows[0]) != 1 || rows[0][0] != "title" {
			t.Errorf("one field: %.100q, %v", some, err)
		}
		lines, _, _ := w.read(run.ID, shoal.ExportForm{Format: shoal.FormatJSONL})
		if n := strings.Count(lines, "\n"); n != 30 {
			t.Errorf("%d lines of 30", n)
		}
	})
}

// TestOpenExportThatIsNotReadToItsEnd: closing ends the writing and leaves
// nothing behind, and an export that fails never ends as a whole file does.
func TestOpenExportThatIsNotReadToItsEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		run := w.awaitStatus(w.start(w.squid(1, nil, tree(t, 30, nil).URL+"/0")).ID, shoal.RunDone)
		r, _, err := w.svc.OpenExport(t.Context(), run.ID, shoal.ExportForm{Format: shoal.FormatJSONL})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if n, err := r.Read(make([]byte, 10)); n != 0 || err != io.ErrClosedPipe {
			t.Errorf("Read after Close = %d, %v", n, err)
		}
		unknown, _, err := w.svc.OpenExport(t.Context(), run.ID, shoal.ExportForm{Format: "abacus"})
		if err != nil {
			t.Fatal(err)
		}
		defer unknown.Close()
		if _, err := io.ReadAll(unknown); err == nil {
			t.Error("an unknown format ended without an error")
		}
		if _, _, err := w.svc.OpenExport(t.Context(), shoal.NewID[shoal.RunID](), shoal.ExportForm{Format: shoal.FormatJSONL}); shoal.KindOf(err) != shoal.KindNotFound {
			t.Errorf("an unknown run: %v", err)
		}
	})
}

// want asks for a file and waits until it is made or given up.
func (w *world) want(run *shoal.Run, form shoal.ExportForm) shoal.Export {
	w.t.Helper()
	e, err := w.svc.Want(w.t.Context(), run, form, false)
	if err != nil {
		w.t.Fatal(err)
	}
	for e.State != shoal.ExportDone && e.State != shoal.ExportError {
		if e, err = w.Store.ExportRow(w.t.Context(), run.ID, form.Format, form.Variant()); err != nil {
			w.t.Fatal(err)
		}
	}
	return e
}

// TestConvert: a file that is wanted is made once, in the background, and is
// what is read from then on.
func TestConvert(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		run := w.awaitStatus(w.start(w.squid(1, nil, tree(t, 30, nil).URL+"/0")).ID, shoal.RunDone)
		form := shoal.ExportForm{Format: shoal.FormatJSONL, Fields: []string{"title"}}
		streamed, _, _ := w.read(run.ID, form)
		e := w.want(&run, form)
		if e.State != shoal.ExportDone || e.Rows != 30 || e.Total != 30 || e.ETag == "" {
			t.Fatalf("%+v", e)
		}
		text, size, stored := w.read(run.ID, form)
		if !stored || size != e.Size || text != streamed {
			t.Errorf("stored %v, %d bytes, as it was streamed: %v", stored, size, text == streamed)
		}
		if again := w.want(&run, form); again.ETag != e.ETag || !again.UpdatedAt.Equal(e.UpdatedAt) {
			t.Errorf("asked again it was made again: %+v", again)
		}
		if _, err := w.svc.Want(t.Context(), &shoal.Run{ID: run.ID, Status: shoal.RunRunning}, form, false); shoal.KindOf(err) != shoal.KindConflict {
			t.Errorf("of a run that is active: %v", err)
		}
	})
}

// TestConversionThatCannotBeWritten: the row says why and what to do, and the
// next who asks gets the file.
func TestConversionThatCannotBeWritten(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		run := w.awaitStatus(w.start(w.squid(1, nil, tree(t, 3, nil).URL+"/0")).ID, shoal.RunDone)
		if err := os.RemoveAll(w.files + "/runs"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.files+"/runs", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		form := shoal.ExportForm{Format: shoal.FormatJSON}
		e := w.want(&run, form)
		if e.State != shoal.ExportError || !strings.Contains(e.Error, "not a directory") || !strings.Contains(e.Error, "ask for the file again") {
			t.Fatalf("%s: %q", e.State, e.Error)
		}
		if err := os.Remove(w.files + "/runs"); err != nil {
			t.Fatal(err)
		}
		if e = w.want(&run, form); e.State != shoal.ExportDone || e.Error != "" || e.Rows != 3 {
			t.Errorf("asked again: %+v", e)
		}
	})
}

// TestConversionIsRepeated: a job that comes twice, or whose run is gone, does
// no harm.
func TestConversionIsRepeated(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.work(runs.Config{})
		run := w.awaitStatus(w.start(w.squid(1, nil, tree(t, 3, nil).URL+"/0")).ID, shoal.RunDone)
		e := w.want(&run, shoal.ExportForm{Format: shoal.FormatJSON})
		args := jobs.New(jobs.KindConvert, jobs.ConvertArgs{Run: string(run.ID), Format: "json"}).Args
		if _, err := w.svc.Convert(t.Context(), args); err != nil {
			t.Errorf("again: %v", err)
		}
		if got, err := w.Store.ExportOf(t.Context(), run.ID, shoal.FormatJSON, ""); err != nil || got.ETag != e.ETag {
			t.Errorf("it was made twice: %v", err)
		}
		// A crash left it half made.
		w.Exec(t, `UPDATE exports SET state = 'converting', row_count = 1 WHERE format = 'json'`)
		if _, err := w.svc.Convert(t.Context(), args); err != nil {
			t.Errorf("after a crash: %v", err)
		}
		if got, err := w.Store.ExportOf(t.Context(), run.ID, shoal.FormatJSON, ""); err != nil || got.Rows != 3 {
			t.Errorf("after a crash: %+v, %v", got, err)
		}
		if err := w.Store.DeleteRun(t.Context(), w.Workspace, run.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.svc.Convert(t.Context(), args); err != nil {
			t.Errorf("of a deleted run: %v", err)
		}
	})
}
