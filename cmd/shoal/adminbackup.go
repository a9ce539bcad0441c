package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"shoal/internal/store"
)

// adminBackup copies a data directory.
type adminBackup struct {
	Target   string `arg:"" help:"Where to: a new directory, a file named .tar or .tar.gz, or - for a tar on standard output." type:"path"`
	Data     string `help:"Data directory; ./shoal-data unless given." default:"./shoal-data" env:"SHOAL_DATA" type:"path" placeholder:"DIR"`
	Database string `help:"PostgreSQL URL; its own tools back it up." env:"SHOAL_DATABASE" placeholder:"URL" hidden:""`
	Blob     string `help:"Where files are kept, if not in the data directory: they are not copied." env:"SHOAL_BLOB" placeholder:"URL"`
}

// Help is the long help of the verb.
func (adminBackup) Help() string {
	return `The server may run meanwhile. The copy has the database as it was at one instant, checked,
the secret key, the export files and the crawlers that were added: keep it as secret as the
data itself. To restore, start on the copy, or on a copy of it:
  shoal admin backup backups/monday          shoal serve --data backups/monday
  shoal admin backup monday.tar.gz           mkdir d; tar -xzf monday.tar.gz -C d; shoal serve --data d
Runs that were under way go on from there, and deliveries that were due are made: do not
start a copy beside its original. A secret key that is given by SHOAL_SECRET_KEY is
not in the directory, nor in the copy. PostgreSQL is backed up by pg_dump; copy the data
directory and the secret key besides.`
}

// Run does the verb.
func (c *adminBackup) Run(ctx context.Context, o *output) error {
	if c.Database != "" {
		return &exit{exitUsage, errors.New("the database is PostgreSQL (SHOAL_DATABASE): back it up with pg_dump, and the files directory of the data directory by copying it, afterwards")}
	}
	home := homeFlags{Data: c.Data}
	if err := home.exists(); err != nil {
		return err
	}
	began := time.Now()
	b, err := newBackup(c.Data, c.Target, o)
	if err != nil {
		return err
	}
	if err := b.make(ctx); err != nil {
		return errors.Join(fmt.Errorf("back up %s: %w", c.Data, err), b.drop())
	}
	if err := b.keep(); err != nil {
		return errors.Join(fmt.Errorf("back up %s: %w", c.Data, err), b.drop())
	}
	o.notef("Backed up %s to %s: %s, %d MB, in %s.\n", c.Data, c.Target, plural(b.files, "file"), b.bytes>>20, span(time.Since(began)))
	if c.Blob != "" {
		o.notef("The files in %s are not in it: an export is made again from the results when somebody asks for it.\n", c.Blob)
	} else if b.missing > 0 {
		o.notef("%s deleted meanwhile; an export is made again when somebody asks for it\n", plural(b.missing, "file was"))
	}
	if !b.key {
		o.notef("There is no secret.key in %s: keep the key of SHOAL_SECRET_KEY with the backup, or its cookies and passwords cannot be opened.\n", c.Data)
	}
	return nil
}

// backup is one being made. It is written beside its target, and takes its name
// when it is whole.
type backup struct {
	data, target string
	part         string // the directory or tar file being written; "" for a stream
	stage        string // the directory that the database is copied into
	out          backupWriter
	files, bytes int64
	missing      int64 // files that the database names and that were gone when their turn came
	key          bool  // there is a secret key
	taken        map[string]bool
}

func newBackup(data, target string, o *output) (*backup, error) {
	b := &backup{data: data, target: target, taken: map[string]bool{}}
	if filepath.Base(target) == "-" { // kong makes a path of it
		return b.stream(o.out)
	}
	if err := checkTarget(data, target); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return nil, fmt.Errorf("make the backup: %w", err)
	}
	b.part = fmt.Sprintf("%s.%d.part", target, os.Getpid())
	if !isTar(target) {
		b.stage = b.part
		b.out = dirWriter(b.part)
		if err := os.Mkdir(b.part, 0o700); err != nil {
			return nil, fmt.Errorf("make the backup: %w", err)
		}
		return b, nil
	}
	stage, err := os.MkdirTemp(filepath.Dir(target), ".shoal-backup-")
	if err != nil {
		return nil, fmt.Errorf("make the backup: %w", err)
	}
	b.stage = stage
	f, err := os.OpenFile(b.part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the backup: %w", err), b.drop())
	}
	b.out = newTarWriter(f, f, strings.HasSuffix(target, "gz"))
	return b, nil
}

// stream returns a backup that goes to a writer. The database is copied beside
// the data first: there is room of its size or there is trouble anyway.
func (b *backup) stream(w io.Writer) (_ *backup, err error) {
	if isTerminal(w) {
		return nil, &exit{exitUsage, errors.New("a tar on a terminal helps nobody: pipe it, or name a file")}
	}
	if b.stage, err = os.MkdirTemp(b.data, ".shoal-backup-"); err != nil {
		return nil, fmt.Errorf("make the backup: %w", err)
	}
	b.out = newTarWriter(w, nil, false)
	return b, nil
}

func isTar(target string) bool {
	return strings.HasSuffix(target, ".tar") || strings.HasSuffix(target, ".tar.gz") || strings.HasSuffix(target, ".tgz")
}

// checkTarget refuses to write over anything, and into the data itself.
func checkTarget(data, target string) error {
	rel, err := filepath.Rel(data, target)
	if err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return &exit{exitUsage, fmt.Errorf("%s lies in the data directory itself: choose another place, best on another disk", target)}
	}
	entries, err := os.ReadDir(target)
	if err == nil && len(entries) == 0 && !isTar(target) {
		return nil
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return &exit{exitUsage, fmt.Errorf("there is something at %s already: name a new directory or file", target)}
	}
	return nil
}

// make writes the backup: the database first, so that no file it names comes
// into being after the files were copied.
func (b *backup) make(ctx context.Context) error {
	if err := b.database(ctx); err != nil {
		return err
	}
	if err := b.rest(ctx); err != nil {
		return err
	}
	i, err := store.Inspect(ctx, store.Options{DataDir: b.stage})
	if err != nil {
		return err
	}
	err = i.Files(ctx, 1<<30, func(blob string) {
		if !b.taken["files/"+blob] {
			b.missing++
		}
	})
	return errors.Join(err, i.Close())
}

// database copies the database with the secret key that opens what is in it: if
// the key was changed meanwhile, both are copied again.
func (b *backup) database(ctx context.Context) error {
	const keyFile = "secret.key"
	for range 3 {
		before, err := readIfThere(filepath.Join(b.data, keyFile))
		if err != nil {
			return err
		}
		if err := store.Copy(ctx, b.data, b.stage); err != nil {
			return err
		}
		after, err := readIfThere(filepath.Join(b.data, keyFile))
		if err != nil {
			return err
		}
		if !bytes.Equal(before, after) {
			if err := os.Remove(filepath.Join(b.stage, store.DatabaseFiles[0])); err != nil {
				return err
			}
			continue
		}
		if b.key = after != nil; b.key {
			if err := b.add(keyFile, filepath.Join(b.data, keyFile)); err != nil {
				return err
			}
		}
		return b.add(store.DatabaseFiles[0], filepath.Join(b.stage, store.DatabaseFiles[0]))
	}
	return errors.New("the secret key is being changed again and again: try later")
}

func readIfThere(name string) ([]byte, error) {
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

// rest copies everything else in the data directory but what is unfinished.
func (b *backup) rest(ctx context.Context) error {
	entries, err := os.ReadDir(b.data)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if b.taken[e.Name()] || e.Name() == "lock" || strings.HasPrefix(e.Name(), ".") || slices.Contains(store.DatabaseFiles, e.Name()) {
			continue
		}
		// A directory of the data may be a link to a larger disk.
		root, err := filepath.EvalSymlinks(filepath.Join(b.data, e.Name()))
		if err != nil {
			return err
		}
		if err := b.tree(ctx, e.Name(), root); err != nil {
			return err
		}
	}
	return nil
}

func (b *backup) tree(ctx context.Context, name, root string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !e.Type().IsRegular() || strings.HasSuffix(path, ".part") || strings.HasSuffix(path, ".new") {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return b.add(filepath.ToSlash(filepath.Join(name, rel)), path)
	})
}

// add copies one file; one that is deleted before it can be opened is left out.
func (b *backup) add(name, from string) (err error) {
	f, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := b.out.add(name, info, f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.taken[name] = true
	b.files++
	b.bytes += info.Size()
	return nil
}

// keep gives the finished backup its name.
func (b *backup) keep() error {
	if err := b.out.close(); err != nil {
		return err
	}
	if b.stage != b.part {
		if err := os.RemoveAll(b.stage); err != nil {
			return err
		}
	}
	if b.part == "" {
		return nil
	}
	if err := os.Remove(b.target); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty directory
		return err
	}
	if err := os.Rename(b.part, b.target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(b.target))
}

// drop removes what was written of a backup that failed.
func (b *backup) drop() error {
	err := os.RemoveAll(b.stage)
	if b.part != "" {
		err = errors.Join(err, os.RemoveAll(b.part))
	}
	return err
}
