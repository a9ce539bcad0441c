package export

import (
	"io"

	"shoal"
)

const (
	// flushSize is how many bytes are gathered before they are written.
	flushSize = 64 << 10
	// keepSize is the largest buffer that is kept: one row of megabytes must not
	// make all that follow hold megabytes.
	keepSize = 1 << 20
)

// textFormat appends a format's bytes to a buffer.
type textFormat interface {
	begin(b []byte) []byte
	// row appends r. After an error nothing of b is used.
	row(b []byte, r *shoal.Result) ([]byte, error)
	end(b []byte) []byte
}

// text is the encoder of a format of text: it gathers rows into large writes.
type text struct {
	w      io.Writer
	format textFormat
	buf    []byte
}

func newText(w io.Writer, format textFormat) *text {
	return &text{w: w, format: format, buf: format.begin(make([]byte, 0, flushSize+flushSize/2))}
}

func (t *text) row(r *shoal.Result) (err error) {
	if t.buf, err = t.format.row(t.buf, r); err != nil || len(t.buf) < flushSize {
		return err
	}
	_, err = t.w.Write(t.buf)
	if cap(t.buf) > keepSize {
		t.buf = make([]byte, 0, flushSize+flushSize/2)
	}
	t.buf = t.buf[:0]
	return err
}

func (t *text) close() error {
	_, err := t.w.Write(t.format.end(t.buf))
	return err
}

// jsonlFormat is an object per line.
type jsonlFormat struct{ object *Object }

func (f *jsonlFormat) begin(b []byte) []byte { return b }
func (f *jsonlFormat) end(b []byte) []byte   { return b }
func (f *jsonlFormat) row(b []byte, r *shoal.Result) ([]byte, error) {
	b, err := f.object.Append(b, r)
	return append(b, '\n'), err
}

// jsonFormat is one array with a row per line.
type jsonFormat struct {
	object *Object
	some   bool
}

func (f *jsonFormat) begin(b []byte) []byte { return append(b, '[') }
func (f *jsonFormat) end(b []byte) []byte   { return append(b, "]\n"...) }
func (f *jsonFormat) row(b []byte, r *shoal.Result) ([]byte, error) {
	if f.some {
		b = append(b, ',', '\n')
	}
	f.some = true
	return f.object.Append(b, r)
}
