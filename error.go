package shoal

import (
	"errors"
	"fmt"
)

// Kind classes an error. It decides the HTTP status (one table in
// internal/api) and whether a job is tried again (one table in internal/jobs).
type Kind int

const (
	// KindInternal is the zero value: a fault of ours.
	KindInternal Kind = iota
	// KindInvalid: the caller's input is wrong.
	KindInvalid
	// KindBusiness: the input is well formed, but a rule of the product refuses it.
	KindBusiness
	// KindUnauthenticated: no key, or one that is not valid.
	KindUnauthenticated
	// KindForbidden: the key is valid and may not do this.
	KindForbidden
	// KindNotFound: no such thing in the caller's workspace.
	KindNotFound
	// KindConflict: it clashes with what is already there.
	KindConflict
	// KindTooLarge: more bytes or items than are accepted.
	KindTooLarge
	// KindUnprocessable: well formed, and impossible.
	KindUnprocessable
	// KindRateLimited: too many requests.
	KindRateLimited
	// KindUnavailable: shutting down, or a component is away; try later.
	KindUnavailable
	// KindFenced: the writer's lease was taken over; its work is void.
	KindFenced
	// KindStorageFull: the disk has no room left.
	KindStorageFull
)

// Error is the error that reaches people. Code is one of the names of the
// wire contract (RunDoesNotExist, ParamsInvalid, …); Param names the field that
// is wrong, if one is; Message is a sentence a tired person understands; Err
// is the cause, kept for logs and never shown on the wire.
type Error struct {
	Kind    Kind
	Code    string
	Param   string
	Message string
	Err     error
}

// Error returns the message with its cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, else KindInternal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// CodeOf returns the code of the first *Error in err's chain, else "".
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Invalid returns a KindInvalid error for the named field.
func Invalid(code, param, format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Code: code, Param: param, Message: fmt.Sprintf(format, args...)}
}

// Business returns a KindBusiness error.
func Business(code, format string, args ...any) *Error {
	return &Error{Kind: KindBusiness, Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotFound returns a KindNotFound error; param names the identifier that was not found.
func NotFound(code, param, message string) *Error {
	return &Error{Kind: KindNotFound, Code: code, Param: param, Message: message}
}

// Conflict returns a KindConflict error.
func Conflict(code, param, format string, args ...any) *Error {
	return &Error{Kind: KindConflict, Code: code, Param: param, Message: fmt.Sprintf(format, args...)}
}

// The not-found errors that several packages return; each is matched by its code.
var (
	ErrRunNotFound         = NotFound("RunDoesNotExist", "run_hash", "Run not found")
	ErrSquidNotFound       = NotFound("SquidDoesNotExistException", "squid", "Squid not found")
	ErrTaskNotFound        = NotFound("TaskDoesNotExist", "task", "Task not found")
	ErrUploadNotFound      = NotFound("TasksNotFound", "id", "Task upload not found")
	ErrCrawlerNotFound     = NotFound("ModuleNotFound", "crawler", "Crawler not found")
	ErrAccountNotFound     = NotFound("AccountDoesNotExist", "account", "Account not found")
	ErrAccountTypeNotFound = NotFound("AccountTypeDoesNotExist", "type", "There is no such account type; GET /v1/account_types lists them")
	ErrSyncNotFound        = NotFound("AccountDoesNotExist", "id", "Synchronization not found")
	ErrChainNotFound       = NotFound("SquidDoesNotExistException", "chain", "This squid has no chain")
	ErrKeyNotFound         = &Error{Kind: KindUnauthenticated, Code: "NotAuthenticated", Message: "Authentication credentials were not provided or are invalid. Send the header: Authorization: Token YOUR_KEY"}
	ErrUserNotFound        = NotFound("UserDoesNotExist", "user", "User not found")
	ErrWorkspaceNotFound   = NotFound("WorkspaceDoesNotExist", "workspace", "Workspace not found")
	ErrNoSuchKey           = NotFound("KeyDoesNotExist", "key", "API key not found")
	ErrFenced              = &Error{Kind: KindFenced, Code: "Fenced", Message: "the lease was taken over or ended"}
	ErrLeaseHeld           = &Error{Kind: KindConflict, Code: "LeaseHeld", Message: "another worker holds this slot"}
	ErrStorageFull         = &Error{Kind: KindStorageFull, Code: "StorageFull", Message: "the data directory's disk is full"}
)

// Is makes errors.Is match by code, so that a wrapped copy with another
// message still matches the sentinel.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Kind == e.Kind && t.Param == e.Param
}
