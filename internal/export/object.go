package export

import (
	"bytes"
	"encoding/json"
	"slices"

	"shoal"
)

// The envelope's own members, which follow the crawler's fields on every
// result. A crawler's field never has one of these names.
const (
	memberID = iota
	memberObject
	memberSquid
	memberRun
	memberTask
	memberTime
	memberCount
)

var envelope = [memberCount]string{"id", "object", "squid", "run", "task", "scraping_time"}

// Envelope returns the names of the members that every result has besides the
// crawler's fields.
func Envelope() []string { return slices.Clone(envelope[:]) }

// Object appends results as JSON objects, the shape of GET /v1/results. It is
// safe for use by several goroutines.
type Object struct {
	whole bool
	names []string // what is selected, nil: all
	omit  []string
	// members says which of the envelope's members a row gets.
	members [memberCount]bool
}

// NewObject returns the encoder for cols; the order of cols.Select does not
// matter, members keep the row's order.
func NewObject(cols Columns) *Object {
	o := &Object{whole: cols.plain(), names: cols.Select, omit: cols.Omit}
	for i, name := range envelope {
		o.members[i] = o.wants(name)
	}
	return o
}

func (o *Object) wants(name string) bool {
	return (len(o.names) == 0 || slices.Contains(o.names, name)) && !slices.Contains(o.omit, name)
}

// Append appends r as one object on one line. The error is ErrRow when the
// stored row is not a JSON object; b is then as it was.
func (o *Object) Append(b []byte, r *shoal.Result) ([]byte, error) {
	start := len(b)
	b, err := o.appendFields(b, r.Data)
	if err != nil {
		return b[:start], err
	}
	if len(b) > start+1 {
		b = append(b, ',')
	}
	for i := range o.members {
		if o.members[i] {
			b = appendMember(b, i, r)
			b = append(b, ',')
		}
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, '}'), nil
}

// appendFields appends "{" and the row's members that are wanted, without "}".
func (o *Object) appendFields(b, data []byte) ([]byte, error) {
	if bytes.IndexByte(data, '\n') >= 0 {
		// A line break can only be insignificant space, and a row is one line.
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			return b, ErrRow
		}
		data = compact.Bytes()
	}
	if o.whole {
		if len(data) < 2 || data[0] != '{' || data[len(data)-1] != '}' {
			return b, ErrRow
		}
		return append(b, bytes.TrimRight(data[:len(data)-1], " \t\r")...), nil
	}
	s, err := newScanner(data)
	if err != nil {
		return b, err
	}
	b = append(b, '{')
	first := true
	for s.next() {
		if !o.wants(string(s.name)) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = append(b, s.key...)
		b = append(b, '"', ':')
		b = append(b, s.value...)
	}
	return b, s.err
}

// appendMember appends one member of the envelope.
func appendMember(b []byte, member int, r *shoal.Result) []byte {
	b = append(b, '"')
	b = append(b, envelope[member]...)
	b = append(b, '"', ':', '"')
	b = appendMemberText(b, member, r)
	return append(b, '"')
}

// appendMemberText appends a member's value; none of them needs quoting in
// JSON or CSV.
func appendMemberText(b []byte, member int, r *shoal.Result) []byte {
	switch member {
	case memberID:
		return shoal.AppendResultID(b, r.RunPK, r.Digest)
	case memberObject:
		return append(b, "result"...)
	case memberSquid:
		return append(b, r.SquidID...)
	case memberRun:
		return append(b, r.RunID...)
	case memberTask:
		return append(b, r.TaskID...)
	default:
		return shoal.AppendTime(b, r.At)
	}
}
