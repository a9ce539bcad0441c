package shoal

import "time"

// Format is a file format of exported results.
type Format string

// The formats that results leave in.
const (
	FormatCSV   Format = "csv"
	FormatJSON  Format = "json"
	FormatJSONL Format = "jsonl"
)

// ContentType returns the media type of the format.
func (f Format) ContentType() string {
	switch f {
	case FormatJSON:
		return "application/json"
	case FormatJSONL:
		return "application/x-ndjson"
	default:
		return "text/csv; charset=utf-8"
	}
}

// Export is one file of a run's results in the blob store.
type Export struct {
	RunID     RunID
	Format    Format
	Variant   string // hash of fields and omissions, empty for the plain file
	Blob      string // name in the blob store
	Size      int64
	ETag      string
	Rows      int64
	CreatedAt time.Time
}
