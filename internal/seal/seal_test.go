package seal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shoal/internal/seal"
)

func master(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }

func ring(t *testing.T, masters ...[]byte) *seal.Keyring {
	t.Helper()
	r, err := seal.New(masters...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealOpensOnlyForItsPurposeAndUntouched(t *testing.T) {
	r := ring(t, master(1))
	secret := []byte(`{"session":"abc"}`)
	sealed := r.Seal("account/cookies", secret)
	if bytes.Contains(sealed, []byte("session")) {
		t.Fatal("the sealed value shows its content")
	}
	got, err := r.Open("account/cookies", sealed)
	if err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("Open = %q, %v", got, err)
	}
	if _, err := r.Open("delivery/s3", sealed); !errors.Is(err, seal.ErrCorrupt) {
		t.Errorf("another purpose: %v, want ErrCorrupt", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := r.Open("account/cookies", bad); err == nil {
			t.Errorf("byte %d flipped: opened", i)
		}
	}
	for n := range sealed {
		if _, err := r.Open("account/cookies", sealed[:n]); err == nil {
			t.Errorf("cut to %d bytes: opened", n)
		}
	}
	if bytes.Equal(sealed, r.Seal("account/cookies", secret)) {
		t.Error("the same secret sealed twice gives the same bytes")
	}
}

func TestRotation(t *testing.T) {
	old, both, fresh := ring(t, master(1)), ring(t, master(2), master(1)), ring(t, master(2))
	sealed := old.Seal("p", []byte("x"))
	if _, err := both.Open("p", sealed); err != nil {
		t.Errorf("the ring with the former key: %v", err)
	}
	if !both.Stale(sealed) || old.Stale(sealed) || both.Stale(both.Seal("p", nil)) {
		t.Error("Stale must be true exactly for a value of a former key")
	}
	if _, err := fresh.Open("p", sealed); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("without the former key: %v, want ErrUnknownKey", err)
	}
	if _, err := fresh.Open("p", both.Seal("p", nil)); err != nil {
		t.Errorf("the new key alone: %v", err)
	}
	sig := old.Sign("p", []byte("m"))
	if !both.Verify("p", []byte("m"), sig[:]) || fresh.Verify("p", []byte("m"), sig[:]) {
		t.Error("a signature must verify with every key of the ring and no other")
	}
}

func TestSignatureBindsPurposeAndMessage(t *testing.T) {
	r := ring(t, master(1))
	sig := r.Sign("ab", []byte("c"))
	if !r.Verify("ab", []byte("c"), sig[:]) {
		t.Fatal("a fresh signature does not verify")
	}
	if r.Verify("a", []byte("bc"), sig[:]) || r.Verify("ab", []byte("d"), sig[:]) || r.Verify("ab", []byte("c"), sig[:31]) {
		t.Error("a signature verified for something else")
	}
}

func TestLoadMakesOneKeyForAllAndKeepsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	rings := make([]*seal.Keyring, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			r, err := seal.Load("", path)
			if err != nil {
				t.Error(err)
			}
			rings[i] = r
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed := rings[0].Seal("p", []byte("x"))
	for i, r := range rings {
		if _, err := r.Open("p", sealed); err != nil {
			t.Errorf("start %d has another key: %v", i, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key file = %v, %v; want 0600", info.Mode(), err)
	}
	left, _ := filepath.Glob(path + ".*")
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLoadRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(path, []byte(strings.Repeat("ab", 32)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Load("", path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file others may read: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Load("", path); err != nil {
		t.Errorf("a file with one key: %v", err)
	}
	for _, text := range []string{"secretsecret", strings.Repeat("g", 64), "#only a comment"} {
		_, err := seal.Load(text, path)
		if err == nil || strings.Contains(err.Error(), "secretsecret") {
			t.Errorf("Load(%q) = %v; want an error that does not repeat the text", text, err)
		}
	}
}
