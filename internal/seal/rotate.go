package seal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Keys is how many master keys the ring holds.
func (r *Keyring) Keys() int { return len(r.keys) }

// Renew puts a fresh key before those of the file at path, which Load made:
// from the next Load on it seals, and the former ones still open what they
// sealed. The file is replaced as a whole, or not at all.
func Renew(path string) error {
	var master [KeySize]byte
	rand.Read(master[:])
	return rewrite(path, func(keys []string) []string {
		return append([]string{hex.EncodeToString(master[:])}, keys...)
	})
}

// Retire removes all keys but the first from the file at path. What they sealed
// cannot be opened any more, and what they signed is void.
func Retire(path string) error {
	return rewrite(path, func(keys []string) []string { return keys[:1] })
}

// rewrite replaces the keys of a file.
func rewrite(path string, change func([]string) []string) (err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the secret key file: %w", err)
	}
	if _, err := Parse(string(content)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var keys []string
	for line := range strings.Lines(string(content)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			keys = append(keys, strings.FieldsFunc(line, isSeparator)...)
		}
	}
	text := "# Shoal's secret keys: the first one seals, the others open what they sealed before. Keep them, and keep them secret.\n" +
		strings.Join(change(keys), "\n") + "\n"
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replace the secret key file: %w", err)
	}
	if err := writeNew(temp, text); err != nil {
		return fmt.Errorf("replace the secret key file: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("replace the secret key file: %w", err)
	}
	// A key that a power cut takes back would leave what it sealed shut.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("replace the secret key file: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	return dir.Sync()
}
