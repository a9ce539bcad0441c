package shoal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// Format is a file format of exported results.
type Format string

// The formats that results leave in.
const (
	FormatCSV     Format = "csv"
	FormatJSON    Format = "json"
	FormatJSONL   Format = "jsonl"
	FormatXLSX    Format = "xlsx"
	FormatParquet Format = "parquet"
)

// Formats are all formats.
var Formats = []Format{FormatCSV, FormatJSON, FormatJSONL, FormatXLSX, FormatParquet}

// ContentType returns the media type of the format.
func (f Format) ContentType() string {
	switch f {
	case FormatJSON:
		return "application/json"
	case FormatJSONL:
		return "application/x-ndjson"
	case FormatXLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case FormatParquet:
		return "application/vnd.apache.parquet"
	default:
		return "text/csv; charset=utf-8"
	}
}

// ExportForm says what a file of results looks like. The form with nothing but
// a format is the plain one.
type ExportForm struct {
	Format Format `json:"format"`
	// Fields, if not empty, names the columns wanted, in CSV's order.
	Fields []string `json:"fields,omitempty"`
	// Omit names columns to leave out.
	Omit []string `json:"omit,omitempty"`
	// BOM begins a CSV file with U+FEFF, by which Excel knows that it is UTF-8.
	BOM bool `json:"bom,omitempty"`
	// GuardFormulas keeps a spreadsheet from running a CSV cell that begins as a
	// formula does.
	GuardFormulas bool `json:"guard_formulas,omitempty"`
	// Dotted gives each member of a nested object a column of its own, named by
	// its path ("offer.price"), where a table would have the object's JSON.
	Dotted bool `json:"dotted,omitempty"`
}

// Validate refuses an option that the form's format has no use for, rather
// than leave it out unsaid. Whether the names are columns is not its business.
func (f *ExportForm) Validate() error {
	table := f.Format == FormatCSV || f.Format == FormatXLSX || f.Format == FormatParquet
	switch {
	case !slices.Contains(Formats, f.Format):
		return Invalid("InvalidParameterValue", "format", "format is %.40q; it must be csv, json, jsonl, xlsx or parquet", string(f.Format))
	case f.BOM && f.Format != FormatCSV:
		return Invalid("InvalidParameterValue", "bom", "bom goes with format csv: a file of %s needs no mark to be read as UTF-8", f.Format)
	case f.GuardFormulas && f.Format == FormatXLSX:
		return Invalid("InvalidParameterValue", "guard_formulas", "guard_formulas goes with format csv: a cell of xlsx is text or a number and never a formula, so leave it out")
	case f.GuardFormulas && f.Format != FormatCSV:
		return Invalid("InvalidParameterValue", "guard_formulas", "guard_formulas goes with format csv: no spreadsheet runs what is in a file of %s", f.Format)
	case f.Dotted && !table:
		return Invalid("InvalidParameterValue", "dotted", "dotted goes with csv, xlsx and parquet: %s keeps objects as they are", f.Format)
	case slices.Contains(f.Fields, ""):
		return Invalid("InvalidParameterValue", "fields", "fields has an empty name; give names of columns")
	case slices.Contains(f.Omit, ""):
		return Invalid("InvalidParameterValue", "omit", "omit has an empty name; give names of columns")
	}
	return nil
}

// Plain reports whether nothing but the format is asked for.
func (f *ExportForm) Plain() bool {
	return len(f.Fields) == 0 && len(f.Omit) == 0 && !f.BOM && !f.GuardFormulas && !f.Dotted
}

// Variant names the form within its format: "" for the plain one, else a short
// hash that is the same for the same form.
func (f *ExportForm) Variant() string {
	if f.Plain() {
		return ""
	}
	c := *f
	c.Omit = slices.Compact(slices.Sorted(slices.Values(c.Omit)))
	b, err := json.Marshal(&c)
	if err != nil {
		panic("an export form that is no JSON: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// ExportState is how far a file of results is.
type ExportState string

// The states of a file of results.
const (
	ExportPending    ExportState = "pending"    // it waits for its turn
	ExportConverting ExportState = "converting" // it is being written
	ExportDone       ExportState = "done"
	ExportError      ExportState = "error" // it was not made, for Export.Error
)

// Export is one file of a run's results in the blob store.
type Export struct {
	RunID   RunID
	Format  Format
	Variant string // ExportForm.Variant: empty for the plain file
	Form    ExportForm
	State   ExportState
	Blob    string // name in the blob store
	Size    int64
	ETag    string
	Rows    int64 // written so far
	Total   int64 // to write, as far as it is known; 0: not known
	Error   string
	// CreatedAt is when the file was first wanted, UpdatedAt when its state or
	// Rows changed, and UsedAt when somebody last wanted or read it, to the hour.
	CreatedAt, UpdatedAt, UsedAt time.Time
}

// ID returns the file's wire id, which is the same for the same form of the
// same run: 32 lower-case hexadecimal characters.
func (e *Export) ID() string {
	sum := sha256.Sum256([]byte(string(e.RunID) + "/" + string(e.Format) + "/" + e.Variant))
	return hex.EncodeToString(sum[:16])
}

// BlobName returns the name that the file gets in the blob store.
func (e *Export) BlobName() string {
	name := "results"
	if e.Variant != "" {
		name = e.Variant
	}
	return "runs/" + string(e.RunID) + "/" + name + "." + string(e.Format)
}
