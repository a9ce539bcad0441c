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
