package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"shoal"
)

// dirLock is the exclusive hold on a data directory. The kernel drops it when
// the process ends, however it ends.
type dirLock struct{ file *os.File }

// lockDir locks dir, or says which process holds it.
func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 32)) // unreadable: the error does without
		f.Close()
		return nil, heldError(dir, strings.TrimSpace(string(holder)))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := writePID(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &dirLock{file: f}, nil
}

// Holder returns the id of the process that works on the data directory dir,
// or "" when none does. It says "another" when it cannot be known which.
func Holder(dir string) (pid string, err error) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look at the lock of the data directory: %w", err)
	}
	defer f.Close() // which gives back what is taken below
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return "", nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return "", fmt.Errorf("look at the lock of the data directory: %w", err)
	}
	holder, err := io.ReadAll(io.LimitReader(f, 32))
	if pid = strings.TrimSpace(string(holder)); pid == "" || err != nil {
		return "another", nil
	}
	return pid, nil
}

func heldError(dir, pid string) error {
	who := "another process"
	if pid != "" {
		who = "process " + pid
	}
	return shoal.Conflict("DataDirInUse", "", "the data directory %s is in use by %s: stop it, or choose another directory with --data", dir, who)
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// release gives the directory back. The file stays: removing it would let two
// processes lock two files of one name.
func (l *dirLock) release() error { return l.file.Close() }
