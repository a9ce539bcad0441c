package shoal

import (
	"encoding/hex"

	"github.com/google/uuid"
)

// Identifiers on the wire are UUIDv7 values written as 32 lower-case
// hexadecimal characters. Each noun has its own type, so that a task's id
// cannot be passed where a run's is wanted.
type (
	WorkspaceID string
	UserID      string
	KeyID       string
	CrawlerID   string
	SquidID     string
	TaskID      string
	UploadID    string
	RunID       string
	AccountID   string
	SyncID      string
	ChainID     string
	DeliveryID  string
	PlanID      string
	InvoiceID   string
)

// NewID returns a fresh UUIDv7 as 32 lower-case hexadecimal characters; ids
// made later sort after ids made earlier.
func NewID[T ~string]() T {
	u := uuid.Must(uuid.NewV7())
	return T(hex.EncodeToString(u[:]))
}

// ValidID reports whether s has the form of an identifier: exactly 32
// lower-case hexadecimal characters.
func ValidID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
