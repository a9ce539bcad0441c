package seal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestRenewAndRetire: a renewed file seals with another key and opens what the
// former one sealed, until that is retired.
func TestRenewAndRetire(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	load := func() *Keyring {
		t.Helper()
		ring, err := Load("", path)
		if err != nil {
			t.Fatal(err)
		}
		return ring
	}
	old := load()
	sealed := old.Seal("p", []byte("secret"))
	if err := Renew(path); err != nil {
		t.Fatal(err)
	}
	both := load()
	if plain, err := both.Open("p", sealed); err != nil || string(plain) != "secret" || !both.Stale(sealed) || both.Keys() != 2 {
		t.Errorf("after the renewal: %q, %v, stale %v, %d keys", plain, err, both.Stale(sealed), both.Keys())
	}
	anew := both.Seal("p", []byte("secret"))
	if both.Stale(anew) {
		t.Error("the fresh key does not seal")
	}
	if err := Retire(path); err != nil {
		t.Fatal(err)
	}
	last := load()
	if _, err := last.Open("p", sealed); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("what the retired key sealed: %v", err)
	}
	if plain, err := last.Open("p", anew); err != nil || string(plain) != "secret" {
		t.Errorf("what the fresh key sealed: %q, %v", plain, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
}

// TestRenewOfABrokenFile changes nothing.
func TestRenewOfABrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(path, []byte("no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if Renew(path) == nil || Retire(path) == nil {
		t.Error("a file without a key was rewritten")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "no key\n" {
		t.Errorf("%q, %v", text, err)
	}
}
