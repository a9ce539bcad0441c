package shoal

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"time"
)

// Digest is the 16-byte hash of a row's key or a request's identity.
type Digest [16]byte

// Row is one extracted row on its way to the store.
type Row struct {
	Key Digest
	// Data is the row as one JSON object in the crawler's field order.
	Data []byte
	// Functions has bit i set when the crawler's i-th add-on filled the row; it
	// is what the row costs on top of the base price.
	Functions uint32
}

// Result is a stored row. Key is squid PK<<40 | sequence and also the order
// of collection.
type Result struct {
	Key     int64
	Digest  Digest
	RunPK   int64
	RunID   RunID
	SquidID SquidID
	TaskID  TaskID
	Data    []byte // JSON object, the crawler's fields
	At      time.Time
}

// ID returns the result's wire id, computed from its run and key so that none
// has to be stored or indexed.
func (r *Result) ID() string { return ResultID(r.RunPK, r.Digest) }

// ResultID returns the wire id of the row with the given key in the given run:
// 32 lower-case hexadecimal characters, the same in every process.
func ResultID(runPK int64, key Digest) string {
	var b [32]byte
	return string(AppendResultID(b[:0], runPK, key))
}

// AppendResultID appends ResultID to b without allocating. The id is the
// 128-bit FNV-1a hash of the run's number, big-endian, and the key.
func AppendResultID(b []byte, runPK int64, key Digest) []byte {
	// The offset basis and prime of 128-bit FNV; the prime is 2^88 + low.
	hi, lo := uint64(0x6c62272e07bb0142), uint64(0x62b821756295c58d)
	step := func(c byte) {
		const low, shift = 0x13b, 24
		lo ^= uint64(c)
		carry, product := bits.Mul64(lo, low)
		hi = hi*low + carry + lo<<shift
		lo = product
	}
	for i := 56; i >= 0; i -= 8 {
		step(byte(uint64(runPK) >> i))
	}
	for _, c := range key {
		step(c)
	}
	var sum [16]byte
	binary.BigEndian.PutUint64(sum[:8], hi)
	binary.BigEndian.PutUint64(sum[8:], lo)
	return hex.AppendEncode(b, sum[:])
}

// ResultQuery selects results. Exactly one of Squid and Run is set; Task
// narrows it. After and Limit page by key for streaming (keyset): rows with
// Key > After, oldest first, and with Upto set none with a greater key than that.
type ResultQuery struct {
	Workspace WorkspaceID
	Squid     SquidID
	Run       RunID
	Task      TaskID
	After     int64
	Upto      int64
	Limit     int
}
