package export

import (
	"io"
	"reflect"
	"slices"
	"unicode/utf8"

	kzstd "github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"shoal"
)

const (
	// overflowColumn is the last column of every Parquet file: what a row has that
	// no other column could hold, as one JSON object. No field of a crawler begins
	// with an underscore.
	overflowColumn = "_other"
	// groupBytes is how much of rows a row group holds, before compression. It
	// bounds the memory, as a group is written when it is whole; more and smaller
	// groups would need more for what the file's end says of each.
	groupBytes = 6 << 20
	// pageBytes is how much of one column is compressed at once.
	pageBytes = 64 << 10
	// windowBytes is how far back zstd looks: a page is rarely larger.
	windowBytes = 256 << 10
)

// parquetFile writes Parquet (format 2, zstd) with one column per column of the
// table, typed by the crawler's attributes.
type parquetFile struct {
	table
	w       *parquet.GenericWriter[any]
	writers []*parquet.ColumnWriter // by column
	cell    [1]parquet.Value
	text    []byte
	other   []byte // of the present row, "{" and members
	group   int    // bytes of rows in the present row group
}

func newParquet(w io.Writer, l *layout, cols *Columns) *parquetFile {
	p := &parquetFile{table: newTable(l)}
	// The order of the columns in the file is that of fields, and theirs alone.
	schema := parquet.NewSchema("results", newRecord(l.columns))
	p.w = parquet.NewGenericWriter[any](w, schema,
		parquet.Compression(newZstd()),
		parquet.ColumnPageBuffers(parquet.NewChunkBufferPool(pageBytes)),
		parquet.PageBufferSize(pageBytes))
	p.writers = p.w.ColumnWriters()
	if len(cols.Select) == 0 {
		p.stray = func(key, value []byte) {
			// Fields of add-ons that were off are null in every row.
			if string(value) != "null" && !slices.Contains(cols.Omit, string(key)) {
				p.addOther(key, value)
			}
		}
	}
	return p
}

// row writes each value to its column. A column is given its value, or null:
// it has as many as there are rows.
func (p *parquetFile) row(r *shoal.Result) error {
	p.other = p.other[:0]
	if err := p.scan(r.Data); err != nil {
		return err
	}
	for i := range p.columns {
		v := p.value(i, r)
		if err := p.write(i, v); err != nil {
			return err
		}
	}
	rest := parquet.NullValue()
	if len(p.other) > 0 {
		p.other = append(p.other, '}')
		rest = parquet.ByteArrayValue(validText(p.other))
	}
	if err := p.write(len(p.columns), optional(rest)); err != nil {
		return err
	}
	if p.group += len(r.Data) + 200; p.group < groupBytes {
		return nil
	}
	p.group = 0
	return p.w.Flush()
}

func (p *parquetFile) write(i int, v parquet.Value) error {
	p.cell[0] = v
	_, err := p.writers[i].WriteRowValues(p.cell[:])
	return err
}

func (p *parquetFile) close() error { return p.w.Close() }

// value returns what column i holds of the row.
func (p *parquetFile) value(i int, r *shoal.Result) parquet.Value {
	c := &p.columns[i]
	switch {
	case c.member == memberTime:
		return parquet.Int64Value(r.At.UnixMicro())
	case c.member >= 0:
		p.text = appendMemberText(p.text[:0], c.member, r)
		return parquet.ByteArrayValue(p.text)
	case p.kinds[i] <= kindNull:
		return optional(parquet.NullValue())
	}
	v, ok := p.typed(c.typ, p.values[i], p.kinds[i])
	if !ok {
		p.addOther(appendEscaped(nil, c.name), p.values[i])
		return optional(parquet.NullValue())
	}
	return optional(v)
}

// optional marks a value of a column that may be null with whether it is.
func optional(v parquet.Value) parquet.Value {
	if v.IsNull() {
		return v.Level(0, 0, 0)
	}
	return v.Level(0, 1, 0)
}

// typed returns a value as one of the type. It is false when the type does not
// hold it.
func (p *parquetFile) typed(typ shoal.AttributeType, value []byte, kind valueKind) (parquet.Value, bool) {
	switch typ {
	case shoal.AttrInteger:
		v, ok := wholeNumber(value)
		return parquet.Int64Value(v), ok
	case shoal.AttrFloat:
		v, ok := realNumber(value)
		return parquet.DoubleValue(v), ok
	case shoal.AttrBoolean:
		return parquet.BooleanValue(value[0] == 't'), isBool(value)
	case shoal.AttrJSON:
		return parquet.ByteArrayValue(validText(value)), true
	}
	switch kind {
	case kindPlain, kindComma:
		value = value[1 : len(value)-1]
	case kindEscaped:
		p.text = appendText(p.text[:0], value[1:len(value)-1])
		value = p.text
	}
	return parquet.ByteArrayValue(validText(value)), true
}

// addOther keeps a member of the row for the last column, its key as JSON writes it.
func (p *parquetFile) addOther(key, value []byte) {
	if len(p.other) == 0 {
		p.other = append(p.other, '{')
	} else {
		p.other = append(p.other, ',')
	}
	p.other = append(p.other, '"')
	p.other = append(p.other, key...)
	p.other = append(p.other, '"', ':')
	p.other = append(p.other, value...)
}

// validText returns text as the UTF-8 that a column of text must be.
func validText(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return []byte(string([]rune(string(text))))
}

// zstdCodec compresses with one encoder that is kept: the library's own makes
// new ones, of megabytes each, whenever the collector has emptied its pool.
type zstdCodec struct {
	zstd.Codec
	encoder *kzstd.Encoder
}

func newZstd() *zstdCodec {
	e, err := kzstd.NewWriter(nil, kzstd.WithEncoderLevel(kzstd.SpeedFastest), kzstd.WithEncoderConcurrency(1),
		kzstd.WithWindowSize(windowBytes), kzstd.WithLowerEncoderMem(true), kzstd.WithZeroFrames(true), kzstd.WithEncoderCRC(false))
	if err != nil {
		panic("options of zstd that do not go together: " + err.Error())
	}
	return &zstdCodec{encoder: e}
}

// Encode appends to nothing of dst but its room, as compress.Codec says.
func (c *zstdCodec) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
}

// record is a schema's root with its fields in order: parquet.Group would sort
// them by name.
type record struct {
	parquet.Group
	fields []parquet.Field
}

func (r *record) Fields() []parquet.Field { return r.fields }

// recordField is a named column. Rows are never Go values here, so that no
// Value is asked for.
type recordField struct {
	parquet.Node
	name string
}

func (f *recordField) Name() string                           { return f.name }
func (f *recordField) Value(base reflect.Value) reflect.Value { return base.FieldByName(f.name) }

func newRecord(columns []column) *record {
	r := &record{Group: parquet.Group{}}
	add := func(name string, node parquet.Node) {
		r.Group[name] = node
		r.fields = append(r.fields, &recordField{Node: node, name: name})
	}
	for _, c := range columns {
		add(string(validText([]byte(c.name))), nodeOf(c))
	}
	add(overflowColumn, parquet.Optional(parquet.JSON()))
	return r
}

func nodeOf(c column) parquet.Node {
	switch {
	case c.member == memberTime:
		return parquet.Timestamp(parquet.Microsecond)
	case c.member >= 0:
		return parquet.String()
	}
	switch c.typ {
	case shoal.AttrInteger:
		return parquet.Optional(parquet.Int(64))
	case shoal.AttrFloat:
		return parquet.Optional(parquet.Leaf(parquet.DoubleType))
	case shoal.AttrBoolean:
		return parquet.Optional(parquet.Leaf(parquet.BooleanType))
	case shoal.AttrJSON:
		return parquet.Optional(parquet.JSON())
	}
	return parquet.Optional(parquet.String())
}
