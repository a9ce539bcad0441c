package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"shoal"
	"shoal/internal/runs"
	"shoal/internal/seal"
	"shoal/internal/store"
)

// directory checks who may read the data, and who works on it.
func (d *doctor) directory(f *homeFlags) {
	info, err := os.Stat(f.Data)
	switch {
	case f.Database != "" && errors.Is(err, fs.ErrNotExist):
		d.found("directory", warning, "there is no "+f.Data+", where export files would be", "name it with --data; servers that share a database share its files, too")
		return
	case err != nil:
		d.failed("directory", err, "")
		return
	case info.Mode().Perm()&0o077 != 0:
		d.found("directory", warning, fmt.Sprintf("%s may be read by others (mode %s)", f.Data, mode(info)), "chmod 700 "+f.Data)
	default:
		d.ok("directory", "%s is its owner's alone", f.Data)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && int(stat.Uid) != os.Geteuid() {
		d.found("owner", broken, f.Data+" belongs to another user than the one who asks", "run shoal as its owner, or chown -R it")
	}
	if f.Database != "" {
		return
	}
	holder, err := store.Holder(f.Data)
	switch {
	case err != nil:
		d.failed("lock", err, "")
	case holder == "":
		d.ok("lock", "no process works on it")
	default:
		d.ok("lock", "process %s works on it", holder)
	}
}

// disk compares the free space with what is needed.
func (d *doctor) disk(dir string, minFree int64) {
	free, err := runs.FreeBytes(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.failed("disk", err, "")
		}
		return
	}
	found := fmt.Sprintf("%s MB free", count(free>>20))
	remedy := "make room, or delete old runs with their files: shoal run rm, DELETE /v1/runs/{id}"
	switch {
	case free < minFree:
		d.found("disk", broken, fmt.Sprintf("%s; runs are paused (storage_full) below %s MB", found, count(minFree>>20)), remedy)
	case free < 4*minFree:
		d.found("disk", warning, fmt.Sprintf("%s; runs will be paused (storage_full) at %s MB", found, count(minFree>>20)), remedy)
	default:
		d.ok("disk", "%s", found)
	}
}

// secretKey checks the key that opens cookies, passwords and delivery secrets.
func (d *doctor) secretKey(f *homeFlags) {
	const lost = "put the file back from a backup; without it, synchronize the accounts and set the deliveries' secrets anew"
	if f.SecretKey != "" {
		if _, err := seal.Parse(f.SecretKey); err != nil {
			d.failed("secret key", fmt.Errorf("SHOAL_SECRET_KEY: %w", err), "")
			return
		}
		d.ok("secret key", "SHOAL_SECRET_KEY has the form of one")
		return
	}
	if f.Database != "" {
		d.found("secret key", broken, "with PostgreSQL it must be given, the same to every server", "set SHOAL_SECRET_KEY; a new one: openssl rand -hex 32")
		return
	}
	path := filepath.Join(f.Data, "secret.key")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.found("secret key", broken, path+" is missing", lost)
		return
	case err != nil:
		d.failed("secret key", err, "")
		return
	case info.Mode().Perm()&0o077 != 0:
		d.found("secret key", broken, fmt.Sprintf("%s may be read by others (mode %s), and no server will start", path, mode(info)), "chmod 600 "+path)
		return
	}
	text, err := os.ReadFile(path)
	if err == nil {
		_, err = seal.Parse(string(text))
	}
	if err != nil {
		d.failed("secret key", fmt.Errorf("%s: %w", path, err), lost)
		return
	}
	d.ok("secret key", "%s is its owner's alone", path)
}

// openFiles checks how many files and connections a process may have.
func (d *doctor) openFiles() {
	const least = 1024
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		d.failed("open files", err, "")
		return
	}
	if limit.Max < least {
		d.found("open files", warning, fmt.Sprintf("a process may have %d files and connections", limit.Max), "allow 1024 or more: ulimit -n, LimitNOFILE= of systemd")
		return
	}
	d.ok("open files", "a process may have %s", count(int64(min(limit.Max, 1<<40))))
}

// definitions checks the crawlers that were added.
func (d *doctor) definitions(data string) {
	known, err := openCatalogue("", data)
	var all []shoal.Crawler
	if err == nil {
		all, err = known.List()
	}
	if err != nil {
		lines := strings.SplitN(err.Error(), "\n", 2)
		d.found("crawlers", warning, "a definition that was added has mistakes: "+lines[0], "shoal crawler ls names them all")
		return
	}
	d.ok("crawlers", "%d can be used", len(all))
}
