package blob_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"shoal/internal/blob"
)

func open(t *testing.T, path string) *blob.Dir {
	t.Helper()
	d, err := blob.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func write(t *testing.T, d *blob.Dir, name, text string) blob.Writer {
	t.Helper()
	w, err := d.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestFileAppearsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	w := write(t, d, "runs/1.csv", "hello, world")
	if _, err := d.Open(t.Context(), "runs/1.csv"); !errors.Is(err, blob.ErrNotFound) {
		t.Fatalf("before Commit: %v, want ErrNotFound", err)
	}
	info, err := w.Commit()
	if err != nil || info.Size != 12 || len(info.ETag) != 34 {
		t.Fatalf("Commit = %+v, %v", info, err)
	}
	w.Abort()
	o, err := d.Open(t.Context(), "runs/1.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Size != 12 || !o.ModTime.Equal(info.ModTime) {
		t.Errorf("Open = %d bytes of %v, want 12 of %v", o.Size, o.ModTime, info.ModTime)
	}
	if _, err := o.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(o); string(rest) != "world" {
		t.Errorf("from 7: %q", rest)
	}
	write(t, d, "runs/1.csv", "other").Abort()
	if left, _ := filepath.Glob(dir + "/runs/*"); len(left) != 1 {
		t.Errorf("files = %v, want the one", left)
	}
}

func TestCommitReplacesAndReadersKeepTheirs(t *testing.T) {
	d := open(t, t.TempDir())
	first, err := write(t, d, "a", "one").Commit()
	if err != nil {
		t.Fatal(err)
	}
	reader, err := d.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	second, err := write(t, d, "a", "two").Commit()
	if err != nil || first.ETag == second.ETag {
		t.Fatalf("second Commit = %+v, %v; want another ETag", second, err)
	}
	if got, _ := io.ReadAll(reader); string(got) != "one" {
		t.Errorf("the open reader reads %q, want what it opened", got)
	}
}

func TestDelete(t *testing.T) {
	d := open(t, t.TempDir())
	if _, err := write(t, d, "a", "x").Commit(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Open(t.Context(), "a"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
}

func TestStartRemovesUnfinishedFiles(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	write(t, d, "runs/1.csv", "half")
	if _, err := write(t, d, "runs/2.csv", "whole").Commit(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	open(t, dir)
	entries, err := os.ReadDir(dir + "/runs")
	if err != nil || len(entries) != 1 || entries[0].Name() != "2.csv" {
		t.Errorf("after the next start: %v, %v; want 2.csv alone", entries, err)
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	d := open(t, t.TempDir())
	for _, name := range []string{"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".hidden", "a\x00b", "a.part", `a\b`, "é"} {
		if _, err := d.Create(t.Context(), name); err == nil {
			t.Errorf("Create(%q) was accepted", name)
		}
		if _, err := d.Open(t.Context(), name); err == nil || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Open(%q) = %v, want a refusal", name, err)
		}
		if err := d.Delete(t.Context(), name); err == nil {
			t.Errorf("Delete(%q) was accepted", name)
		}
	}
}
