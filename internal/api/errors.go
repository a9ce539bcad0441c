package api

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"shoal"
)

// kinds is the one table from an error's kind to HTTP.
var kinds = map[shoal.Kind]struct {
	status int
	typ    string
}{
	shoal.KindInternal:        {http.StatusInternalServerError, "server_error"},
	shoal.KindInvalid:         {http.StatusBadRequest, "validation_error"},
	shoal.KindBusiness:        {http.StatusBadRequest, "business_error"},
	shoal.KindUnauthenticated: {http.StatusUnauthorized, "authentication_error"},
	shoal.KindForbidden:       {http.StatusForbidden, "authentication_error"},
	shoal.KindNotFound:        {http.StatusNotFound, "not_found_error"},
	shoal.KindConflict:        {http.StatusConflict, "conflict_error"},
	shoal.KindTooLarge:        {http.StatusRequestEntityTooLarge, "validation_error"},
	shoal.KindUnprocessable:   {http.StatusUnprocessableEntity, "validation_error"},
	shoal.KindRateLimited:     {http.StatusTooManyRequests, "rate_limit_error"},
	shoal.KindUnavailable:     {http.StatusServiceUnavailable, "server_error"},
	shoal.KindStorageFull:     {http.StatusServiceUnavailable, "server_error"},
	shoal.KindFenced:          {http.StatusInternalServerError, "server_error"},
}

// methodError is the one error without a kind: HTTP's own 405.
type methodError struct{ message string }

func (e methodError) Error() string { return e.message }

func (e methodError) with(format string, args ...any) error {
	return methodError{fmt.Sprintf(format, args...)}
}

var errMethod methodError

// errStopping refuses what would outlast the server.
var errStopping = &shoal.Error{Kind: shoal.KindUnavailable, Code: "SomethingWentWrong",
	Message: "The server is stopping; try again in a few seconds"}

// errDatabaseAway answers while PostgreSQL restarts or cuts its connections.
var errDatabaseAway = &shoal.Error{Kind: shoal.KindUnavailable, Code: "SomethingWentWrong",
	Message: "The database does not answer at the moment; try again in a few seconds"}

// databaseAway reports whether err says that the connection to the database
// broke or could not be made: SQLSTATE classes 08 (connection exception) and
// 57P (operator intervention), or the network's own word.
func databaseAway(err error) bool {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		state := coded.SQLState()
		return strings.HasPrefix(state, "08") || strings.HasPrefix(state, "57P")
	}
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, driver.ErrBadConn)
}

// dropped is the error of a write to a client that has gone: nothing can be
// answered any more, and nothing is wrong with us.
func dropped(err error) error {
	if err == nil {
		return nil
	}
	return errDropped
}

var errDropped = errors.New("the client has gone")

// fail answers with err. A fault of ours is logged with the request's id; its
// cause never reaches the client.
func (c *call) fail(err error) {
	if errors.Is(err, errDropped) || c.started || errors.Is(err, context.Canceled) && c.ctx().Err() != nil {
		c.failLate(err)
		return
	}
	status, e, typ := c.classify(err)
	h := c.w.Header()
	if status == http.StatusServiceUnavailable && h["Retry-After"] == nil {
		h["Retry-After"] = []string{"5"}
	}
	if status == http.StatusTooManyRequests && h["Retry-After"] == nil {
		h["Retry-After"] = []string{"5"}
	}
	if status == http.StatusUnauthorized {
		h["Www-Authenticate"] = []string{"Token"}
	}
	c.buf = appendError(c.buf[:0], e, typ)
	_ = c.send(status, c.buf) // a client that has gone needs no answer
}

// failLate is fail when the answer can no longer be an error.
func (c *call) failLate(err error) {
	if errors.Is(err, errDropped) || c.ctx().Err() != nil {
		return
	}
	c.a.log.Error("an answer broke off", "request", c.id, "route", c.routeName(), "err", err)
	// Ending the connection is the only way left to say that it is not whole.
	panic(http.ErrAbortHandler)
}

func (c *call) classify(err error) (status int, e *shoal.Error, typ string) {
	if m, ok := errors.AsType[methodError](err); ok {
		return http.StatusMethodNotAllowed, &shoal.Error{Code: "MethodNotAllowed", Message: m.message}, "validation_error"
	}
	e, ok := errors.AsType[*shoal.Error](err)
	switch {
	case !ok && databaseAway(err):
		c.a.log.Warn("the database is away", "request", c.id, "err", err)
		e = errDatabaseAway
	case !ok:
		e = &shoal.Error{Err: err}
	}
	k := kinds[e.Kind]
	if k.status == 0 {
		k = kinds[shoal.KindInternal]
	}
	if k.status == http.StatusInternalServerError {
		c.a.log.Error("a request failed", "request", c.id, "method", c.r.Method, "route", c.routeName(), "err", err)
		e = &shoal.Error{Code: "SomethingWentWrong",
			Message: "Something went wrong on the server. Its log says what, under request id " + c.id}
	}
	return k.status, e, k.typ
}

// appendError appends the three forms of an error that clients read: error for
// new ones, errors for the Python SDK, detail for old ones and people.
func appendError(b []byte, e *shoal.Error, typ string) []byte {
	b = append(b, `{"error":{"message":`...)
	b = appendString(b, e.Message)
	b = append(b, `,"type":`...)
	b = appendString(b, typ)
	b = append(b, `,"param":`...)
	b = appendStringOrNull(b, e.Param)
	b = append(b, `,"code":`...)
	b = appendString(b, e.Code)
	b = append(b, `},"errors":{"message":`...)
	b = appendString(b, e.Message)
	b = append(b, `,"type":`...)
	b = appendString(b, typ)
	b = append(b, `,"code":`...)
	b = appendString(b, e.Code)
	b = append(b, `},"detail":`...)
	b = appendString(b, e.Message)
	return append(b, '}')
}
