// Package seal keeps secrets at rest and signs what leaves and comes back.
//
// A Keyring seals small secrets (cookies, delivery credentials) with
// AES-256-GCM and signs tokens with HMAC-SHA-256, all from one 32-byte master
// key. It holds several master keys, so that one can be replaced without
// losing what the former one sealed: the first key seals and signs, every key
// opens and verifies. Each sealed value carries the id of its key.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// KeySize is the size of a master key in bytes.
const KeySize = 32

// The layout of a sealed value: version, key id, nonce, ciphertext with tag.
const (
	version   = 1
	idSize    = 4
	nonceSize = 12
	tagSize   = 16
	overhead  = 1 + idSize + nonceSize + tagSize
)

// SignatureSize is the size of a signature in bytes.
const SignatureSize = sha256.Size

// ErrUnknownKey says that a value was sealed with a key the ring does not hold.
var ErrUnknownKey = errors.New("sealed with a key that is not configured; put the former secret key back beside the new one")

// ErrCorrupt says that a value is not what Seal returned for this purpose.
var ErrCorrupt = errors.New("the sealed value is damaged, or was sealed for another purpose")

// Keyring seals and signs. It is safe for use by several goroutines.
type Keyring struct {
	keys []key
}

type key struct {
	id   [idSize]byte
	aead cipher.AEAD
	sign []byte // the HMAC master, from which each purpose derives its own
}

// New returns a ring of the given 32-byte master keys; the first one seals
// and signs, all of them open and verify.
func New(masters ...[]byte) (*Keyring, error) {
	if len(masters) == 0 {
		return nil, errors.New("seal: no secret key given")
	}
	ring := &Keyring{}
	for i, master := range masters {
		k, err := newKey(master)
		if err != nil {
			return nil, fmt.Errorf("seal: secret key %d: %w", i+1, err)
		}
		ring.keys = append(ring.keys, k)
	}
	return ring, nil
}

func newKey(master []byte) (key, error) {
	if len(master) != KeySize {
		return key{}, fmt.Errorf("it has %d bytes, want %d", len(master), KeySize)
	}
	var k key
	sealing, err := hkdf.Key(sha256.New, master, nil, "shoal/seal/aes-256-gcm", KeySize)
	if err != nil {
		return key{}, fmt.Errorf("derive the sealing key: %w", err)
	}
	id, err := hkdf.Key(sha256.New, master, nil, "shoal/seal/key-id", idSize)
	if err != nil {
		return key{}, fmt.Errorf("derive the key id: %w", err)
	}
	if k.sign, err = hkdf.Key(sha256.New, master, nil, "shoal/seal/hmac-sha-256", KeySize); err != nil {
		return key{}, fmt.Errorf("derive the signing key: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return key{}, fmt.Errorf("make the cipher: %w", err)
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return key{}, fmt.Errorf("make the cipher mode: %w", err)
	}
	copy(k.id[:], id)
	return k, nil
}

// Seal encrypts plaintext with the first key. The value opens only with the
// same purpose, a constant such as "account/cookies", so that a value cannot
// be moved from one column to another.
func (r *Keyring) Seal(purpose string, plaintext []byte) []byte {
	k := &r.keys[0]
	out := make([]byte, 1+idSize+nonceSize, overhead+len(plaintext))
	out[0] = version
	copy(out[1:], k.id[:])
	nonce := out[1+idSize:]
	rand.Read(nonce) // never fails: crypto/rand ends the process instead
	return k.aead.Seal(out, nonce, plaintext, []byte(purpose))
}

// Open decrypts what Seal returned. It fails with ErrUnknownKey or ErrCorrupt.
func (r *Keyring) Open(purpose string, sealed []byte) ([]byte, error) {
	k, err := r.keyOf(sealed)
	if err != nil {
		return nil, fmt.Errorf("open a sealed %s: %w", purpose, err)
	}
	nonce := sealed[1+idSize : 1+idSize+nonceSize]
	plain, err := k.aead.Open(nil, nonce, sealed[1+idSize+nonceSize:], []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("open a sealed %s: %w", purpose, ErrCorrupt)
	}
	return plain, nil
}

// Stale reports whether sealed was made with a key that is no longer the
// first, and should be sealed anew.
func (r *Keyring) Stale(sealed []byte) bool {
	k, err := r.keyOf(sealed)
	return err == nil && k != &r.keys[0]
}

func (r *Keyring) keyOf(sealed []byte) (*key, error) {
	if len(sealed) < overhead || sealed[0] != version {
		return nil, ErrCorrupt
	}
	for i := range r.keys {
		if bytes.Equal(r.keys[i].id[:], sealed[1:1+idSize]) {
			return &r.keys[i], nil
		}
	}
	return nil, ErrUnknownKey
}

// Sign returns the first key's signature of message for the purpose.
func (r *Keyring) Sign(purpose string, message []byte) [SignatureSize]byte {
	return r.keys[0].mac(purpose, message)
}

// Verify reports whether signature is any key's signature of message for the
// purpose, in time that does not depend on where they differ.
func (r *Keyring) Verify(purpose string, message, signature []byte) bool {
	return len(signature) == SignatureSize && r.VerifyPrefix(purpose, message, signature)
}

// VerifyPrefix is Verify for a signature cut to its first bytes, of which at
// least 16 must be given: half an HMAC-SHA-256 is as hard to forge.
func (r *Keyring) VerifyPrefix(purpose string, message, prefix []byte) bool {
	if len(prefix) < 16 || len(prefix) > SignatureSize {
		return false
	}
	for i := range r.keys {
		want := r.keys[i].mac(purpose, message)
		if hmac.Equal(want[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// mac separates the purpose from the message by the former's length, so that
// no pair of the two reads as another pair.
func (k *key) mac(purpose string, message []byte) (sum [SignatureSize]byte) {
	h := hmac.New(sha256.New, k.sign)
	h.Write([]byte{byte(len(purpose) >> 8), byte(len(purpose))})
	h.Write([]byte(purpose))
	h.Write(message)
	h.Sum(sum[:0])
	return sum
}
