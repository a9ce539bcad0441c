package shoal

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Cursor is how far a consumer, whom it names, has come with a squid's results.
type Cursor struct {
	Name      string
	SquidID   SquidID
	CreatedAt time.Time
	AckedAt   time.Time // when it last went on; zero: never
	// Taken and Left are the squid's living results up to the cursor and behind it.
	Taken, Left int64
}

// Bounds of cursors.
const (
	MaxCursorName = 64
	MaxCursors    = 100 // of a squid
)

// ValidCursorName reports whether s can name a consumer: 1 to 64 ASCII letters,
// digits, dots, dashes and underscores.
func ValidCursorName(s string) bool {
	if s == "" || len(s) > MaxCursorName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// ErrCursorNotFound is that a squid has no cursor of the name.
var ErrCursorNotFound = NotFound("CursorDoesNotExist", "cursor",
	"This squid has no such cursor. It may have been deleted: a call without ack makes it anew, from the first result on")

// CursorQuery asks for what a consumer has not acknowledged.
type CursorQuery struct {
	Workspace WorkspaceID
	Squid     SquidID
	Name      string
	// Ack, unless nil, is the mark of the answer before: all up to it is
	// acknowledged, and what follows it is given. Without it everything that is
	// not acknowledged is given, again if need be.
	Ack *CursorMark
	// Limit is how many results at most; 0: all that there are now.
	Limit int64
}

// Taken is what a consumer gets: the squid's results with After < key <= Upto,
// which do not change but for deletions.
type Taken struct {
	SquidID     SquidID
	After, Upto int64
	// Mark is to be acknowledged when the results are stored. It is the one of
	// the query when there is nothing new.
	Mark CursorMark
	// More says that Mark is further than what is acknowledged.
	More bool
	// Left is how many results there are behind After, those of this answer
	// included, and Count how many of them lie up to Upto.
	Left, Count int64
	// Removed is how many results between After and Upto are deleted, so that
	// nobody gets them: with their run, by emptying the squid, or by its retention.
	Removed int64
}

// EndAt lets t end with r, one of its results.
func (t *Taken) EndAt(r *Result) {
	t.Removed = max(0, t.Removed-(t.Upto-r.Key))
	t.Mark.Seq -= t.Upto - r.Key
	t.Mark.Row = RowMark(r.RunPK, r.Digest, r.At)
	t.Upto = r.Key
}

// CursorMark says in a token how far an answer went: up to Seq of a squid's
// sequence. Row tells the result there from any other that had its number.
type CursorMark struct {
	Cursor [16]byte // which cursor, since it was last set
	Seq    int64
	Row    [8]byte // zero: there was none
}

// RowMark returns CursorMark.Row for a stored result.
func RowMark(runPK int64, key Digest, at time.Time) [8]byte {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], uint64(runPK))
	copy(b[8:], key[:])
	binary.BigEndian.PutUint64(b[24:], uint64(at.UnixMicro()))
	sum := sha256.Sum256(b[:])
	return [8]byte(sum[:8])
}

// String returns the token, which means nothing to anyone else.
func (m CursorMark) String() string {
	var b [32]byte
	copy(b[:], m.Cursor[:])
	binary.BigEndian.PutUint64(b[16:], uint64(m.Seq))
	copy(b[24:], m.Row[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ParseCursorMark reads a token.
func ParseCursorMark(s string) (m CursorMark, err error) {
	b, decodeErr := base64.RawURLEncoding.Strict().DecodeString(s)
	if decodeErr == nil && len(b) == 32 {
		m = CursorMark{Cursor: [16]byte(b), Seq: int64(binary.BigEndian.Uint64(b[16:])), Row: [8]byte(b[24:])}
	}
	if decodeErr != nil || len(b) != 32 || m.Seq < 0 {
		return CursorMark{}, Invalid("InvalidParameterValue", "ack",
			"ack is no token of a cursor; it must be the ack of the answer before, as it was given")
	}
	return m, nil
}

// The places that SetCursor knows besides runs.
const (
	CursorBeginning = "beginning"
	CursorEnd       = "end"
)
