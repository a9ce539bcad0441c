package seal

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Parse reads master keys from text: each 64 hexadecimal or 44 base64
// characters, separated by commas, spaces or line ends; lines that begin with
// # are comments. The first key is the one in use.
func Parse(text string) (*Keyring, error) {
	var masters [][]byte
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, field := range strings.FieldsFunc(line, isSeparator) {
			master, err := parseKey(field)
			if err != nil {
				return nil, fmt.Errorf("secret key %d: %w", len(masters)+1, err)
			}
			masters = append(masters, master)
		}
	}
	return New(masters...)
}

func isSeparator(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }

// parseKey never repeats the text in its error: it is a secret.
func parseKey(field string) ([]byte, error) {
	if b, err := hex.DecodeString(field); err == nil && len(b) == KeySize {
		return b, nil
	}
	if b, err := base64.StdEncoding.DecodeString(field); err == nil && len(b) == KeySize {
		return b, nil
	}
	return nil, fmt.Errorf("it must be %d hexadecimal characters (or the base64 of %d bytes) and has %d characters; make one with: openssl rand -hex 32",
		2*KeySize, KeySize, len(field))
}

// Load returns the ring of text, the value of SHOAL_SECRET_KEY, or, when text
// is empty, of the file at path, which it creates with a fresh key (mode 0600)
// when there is none. Two processes that start together agree on one key.
func Load(text, path string) (*Keyring, error) {
	if strings.TrimSpace(text) != "" {
		return Parse(text)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("create the secret key file: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("look at the secret key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the secret key file %s may be read by others (mode %#o); run: chmod 600 %s",
			path, info.Mode().Perm(), path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the secret key file: %w", err)
	}
	ring, err := Parse(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ring, nil
}

// create writes a fresh key to a temporary file and links it to path, so that
// path never exists half-written; a file already at path is left alone.
func create(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var master [KeySize]byte
	rand.Read(master[:])
	text := "# Shoal's secret key: it opens stored cookies and credentials. Keep it, and keep it secret.\n" +
		hex.EncodeToString(master[:]) + "\n"
	temp := fmt.Sprintf("%s.%x.new", path, master[:4])
	if err := writeNew(temp, text); err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func writeNew(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Sync()
}
