package shoal

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
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
	h := fnv.New128a()
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(runPK))
	h.Write(b[:])
	h.Write(key[:])
	var sum [16]byte
	return hex.EncodeToString(h.Sum(sum[:0]))
}

// ResultQuery selects results. Exactly one of Squid and Run is set; Task
// narrows it. After and Limit page by key for streaming (keyset): rows with
// Key > After, oldest first.
type ResultQuery struct {
	Workspace WorkspaceID
	Squid     SquidID
	Run       RunID
	Task      TaskID
	After     int64
	Limit     int
}
