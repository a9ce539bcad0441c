package sqltable_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoal/internal/sqltable"
)

// TestFilesStayBelow: no name and no link leads out of the workspace's own
// directory, and the directory does not touch Shoal's.
func TestFilesStayBelow(t *testing.T) {
	s := newSide(t, "sqlite", sqltable.Options{})
	outside := t.TempDir()
	own := filepath.Join(s.dir, string(workspace))
	for _, dir := range []string{own, filepath.Join(s.dir, "other")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"out": outside, "sideways": "../other", "file.db": filepath.Join(outside, "x.db"), "near.db": "../other/x.db", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(own, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(own, "dir.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"../x.db", "a/../../x.db", "/etc/x.db", "%2e%2e/x.db", "..%2fx.db", "a%00.db", ".hidden.db", "x.db-journal", "x.db-wal", "x", "x.db?mode=rw", "x.db?_pragma=a", "x.db#a",
		"out/x.db", "sideways/x.db", "file.db", "near.db", "loop/x.db", "dir.db", "a/b/c/d/e/f/g.db", strings.Repeat("x", 200) + ".db", "",
	} {
		c := s.config("things")
		c.URL = "sqlite:///" + name
		if err := s.try(t.Context(), c, rows(result(1, "bolt", bolt))); err == nil {
			t.Errorf("the file %q was written", name)
		} else if strings.Contains(err.Error(), s.dir) {
			t.Errorf("the file %q: the error tells of the directory: %v", name, err)
		}
	}
	for _, dir := range []string{outside, filepath.Join(s.dir, "other")} {
		if found, err := os.ReadDir(dir); err != nil || len(found) != 0 {
			t.Errorf("%s holds %v, %v", dir, found, err)
		}
	}
	c := s.config("things")
	c.URL = "sqlite:///reports/2026/shop.db" // an honest one
	s.load(t, c, rows(result(1, "bolt", bolt)))
	data := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(data, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{data, filepath.Join(data, "in"), filepath.Dir(data), link} {
		if d, err := sqltable.OpenDir(dir, data); err == nil {
			d.Close()
			t.Errorf("%s is taken beside the data in %s", dir, data)
		}
	}
}

// TestFullDisk: a disk without room fails the load, and when there is room the
// rows are there once.
func TestFullDisk(t *testing.T) {
	home := t.TempDir()
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", home).CombinedOutput()
	if err != nil {
		t.Fatalf("this test mounts a small disk, which only root may do (sudo ./test): %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", home).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	d, err := sqltable.OpenDir(home)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := newSide(t, "sqlite", sqltable.Options{})
	s.Writer = sqltable.New(sqltable.Options{Dir: d})
	c := s.config("things")
	s.load(t, c, rows(result(1, "bolt", bolt)))
	if e := s.refuses(t, c, many(5000, 2), "no room"); e.Final {
		t.Errorf("%v is final", e)
	}
	s.db = openAt(t, filepath.Join(home, string(workspace), "out", "shop.db"))
	s.expect(t, "SELECT COUNT(*) FROM things", "1")
	s.load(t, c, many(500, 2))
	s.expect(t, "SELECT COUNT(*) FROM things", "501")
}
