package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shoal"
	"shoal/client"
)

// formatOf returns the format asked for, or the one that the file's name says.
func formatOf(asked, file string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	switch ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(file), ".")); ext {
	case "csv", "json", "jsonl", "xlsx", "parquet":
		return ext, nil
	case "ndjson":
		return "jsonl", nil
	case "":
		return "csv", nil
	default:
		if isDevice(file) {
			return "csv", nil
		}
		return "", &exit{exitUsage, fmt.Errorf("no format is called %q: name the file .csv, .json, .jsonl, .xlsx or .parquet, or pass --format", ext)}
	}
}

// isDevice reports whether name is there and is no file: a terminal, a pipe, /dev/null.
func isDevice(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// writable refuses a file that could not be written in the end, before any
// work is done for it; "" is standard output.
func writable(name string) error {
	if name == "" || isDevice(name) {
		return nil
	}
	err := func() error {
		part, _, err := beside(name)
		if err != nil {
			return err
		}
		return errors.Join(part.Close(), os.Remove(part.Name()))
	}()
	if err != nil {
		return &exit{exitUsage, fmt.Errorf("%s cannot be written: %w", name, err)}
	}
	return nil
}

// beside makes the file that becomes name when it is whole, in the same
// directory, and returns what it is renamed to: where a link of that name leads.
func beside(name string) (part *os.File, target string, err error) {
	mode := fs.FileMode(0o666) // less the umask
	target = name
	switch info, err := os.Stat(name); {
	case err == nil && info.IsDir():
		return nil, "", errors.New("it is a directory")
	case err == nil:
		mode = info.Mode().Perm()
		if target, err = filepath.EvalSymlinks(name); err != nil {
			return nil, "", cause(err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", cause(err)
	}
	dir := filepath.Dir(target)
	part, err = os.OpenFile(filepath.Join(dir, ".shoal-"+shoal.NewID[string]()+".part"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return nil, "", fmt.Errorf("in the directory %s: %w", dir, cause(err))
	}
	return part, target, nil
}

// saveResults downloads a run's results. A file appears under its name only
// when it is whole.
func saveResults(ctx context.Context, o *output, api *client.Client, run, format, name string) error {
	if name == "-" || name == "" {
		_, err := api.Download(ctx, run, format, nil, o.out)
		return err
	}
	to := func(w io.Writer) error {
		_, err := api.Download(ctx, run, format, nil, w)
		return err
	}
	save := saveFile
	if isDevice(name) {
		save = saveDevice
	}
	if err := save(name, to); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// saveFile replaces the file name by what write writes.
func saveFile(name string, write func(io.Writer) error) error {
	part, target, err := beside(name)
	if err != nil {
		return err
	}
	err = write(part)
	if cerr := part.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(part.Name(), target)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}

// saveDevice writes into what is there: replacing /dev/null would be no favour.
func saveDevice(name string, write func(io.Writer) error) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return cause(err)
	}
	err = write(file)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}
