package sqltable

import (
	"fmt"
	"strings"
)

// Error says what went wrong, what the server said, and what to change. Its
// message holds no secrets.
type Error struct {
	Message string
	// Final says that trying again changes nothing: the settings or the rows
	// are to blame.
	Final bool
	Err   error // the cause, may be nil
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// refused is an error about what a person has to change.
func refused(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Final: true}
}

// badValue says that a column cannot hold a value, and why.
type badValue struct {
	value string
	why   string
}

func (e *badValue) Error() string { return e.why }

// rowError is a problem of one row.
func rowError(id, column, value, why string) *Error {
	in := ""
	if column != "" {
		in = fmt.Sprintf(", column %s", column)
	}
	if value != "" {
		in += fmt.Sprintf(", value %q", clip(value))
	}
	return refused("Nothing was written, because of the result %s%s: %s", id, in, why)
}

// list names columns for people.
func list(names []string) string { return strings.Join(names, ", ") }
