package fetch

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// maxHTTP2Failures is after how many failures of HTTP/2 in a row, with no answer
// between them, an origin is asked by HTTP/1.1.
const maxHTTP2Failures = 2

// http2Health tells whether an origin's HTTP/2 works. Some servers and the boxes
// before them offer it and break it; browsers fall back, and so does this package.
type http2Health struct {
	failures atomic.Int32
	last     atomic.Int64 // when the last one was counted, Unix nanoseconds
}

// broken reports whether HTTP/1.1 is to be spoken.
func (h *http2Health) broken() bool { return h.failures.Load() >= maxHTTP2Failures }

// note takes in an exchange that began at started, of which fail is nil when it
// went well. Failures to requests that were under way together are one: when a
// connection breaks, all of its streams do.
func (h *http2Health) note(started, now time.Time, fail *failure) {
	n := h.failures.Load()
	switch {
	case fail == nil:
		if n != 0 && !h.broken() {
			h.failures.Store(0)
		}
	case fail.http2 == "":
	case started.UnixNano() <= h.last.Load():
		fail.unreached = false // for the circuit breaker, too
	default:
		h.last.Store(now.UnixNano())
		if fail.http2 == http11Required {
			n = maxHTTP2Failures
		}
		h.failures.Store(max(n+1, h.failures.Load()))
	}
}

// streamError is what net/http gives for a stream that was reset: its own type
// is not exported and fills in any that has the same fields.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream reset: " + streamCode(e.Code) }

const (
	http11Required = "HTTP_1_1_REQUIRED"
	refusedStream  = "REFUSED_STREAM"
)

// streamCodes are those of RFC 9113, section 7, by number.
var streamCodes = [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", refusedStream, "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", http11Required}

func streamCode(code uint32) string {
	if int(code) < len(streamCodes) {
		return streamCodes[code]
	}
	return fmt.Sprint(code)
}

// http2Error names what went wrong within HTTP/2, "" when the error is not of
// HTTP/2.
func http2Error(err error) string {
	if s, ok := errors.AsType[streamError](err); ok {
		return streamCode(s.Code)
	}
	// The errors of whole connections have no exported type and no hook.
	switch text := err.Error(); {
	case strings.Contains(text, "GOAWAY"):
		return "GOAWAY"
	case strings.HasPrefix(text, "http2: "):
		return strings.TrimPrefix(text, "http2: ")
	case strings.HasPrefix(text, "connection error: "):
		return strings.TrimPrefix(text, "connection error: ")
	}
	return ""
}
