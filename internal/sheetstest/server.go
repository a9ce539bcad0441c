// Package sheetstest gives tests a Google Sheets of their own: a server on
// loopback that speaks the documented part of the Sheets API, version 4, that
// Shoal uses, and the token endpoint before it, with the documented checks and
// the errors that Google answers. A request that is wrong there is wrong here.
//
// https://developers.google.com/workspace/sheets/api/reference/rest
// https://developers.google.com/identity/protocols/oauth2/service-account
package sheetstest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The names of the API's methods, as in Call and Fault.
const (
	Token       = "token"
	Get         = "spreadsheets.get"
	BatchUpdate = "spreadsheets.batchUpdate"
	ValuesGet   = "values.get"
	BatchGet    = "values.batchGet"
	Update      = "values.update"
)

// Call is a request that was made.
type Call struct {
	Method string
	Bytes  int // of its body
}

// Fault is what goes wrong with a call.
type Fault struct {
	Drop      bool // the connection breaks before anything is done
	DropAfter bool // it is done, and the connection breaks before the answer
	Hang      bool // nothing is done and nothing answered
	HangAfter bool // it is done, and not answered
	// Code and what follows are an answer in place of the call.
	Code            int
	Status, Message string
	Reason          string
	RetryAfter      int // seconds
}

// Server is a Google with accounts and spreadsheets.
type Server struct {
	// URL is the API's endpoint, http://127.0.0.1:PORT.
	URL string

	mu        sync.Mutex
	books     map[string]*Book
	accounts  map[string]account // by e-mail address
	grants    map[string]grant   // by refresh token
	access    map[string]access  // by access token
	tokenLife time.Duration
	limits    quota
	used      map[string]int // requests of an account in its window
	window    time.Time
	calls     []Call
	count     map[string]int
	fault     func(method string, n int) *Fault
}

type quota struct {
	reads, writes int
	per           time.Duration
}

// Start runs a server until t ends.
func Start(t testing.TB) *Server {
	s := New("")
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// New returns a server that is reached, or said to be, at url.
func New(url string) *Server {
	return &Server{
		URL:   url,
		books: map[string]*Book{}, accounts: map[string]account{}, grants: map[string]grant{}, access: map[string]access{},
		tokenLife: time.Hour, limits: quota{60, 60, time.Minute}, used: map[string]int{}, count: map[string]int{},
	}
}

// SetQuota changes how many requests an account has in so much time; Google's
// is 60 reads and 60 writes a minute.
func (s *Server) SetQuota(reads, writes int, per time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = quota{reads, writes, per}
}

// SetFault has f asked, before each call, what goes wrong with the n-th call of
// the method since; nil: nothing.
func (s *Server) SetFault(f func(method string, n int) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	clear(s.count)
}

// Calls returns the calls so far and forgets them.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls
	s.calls = nil
	return c
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	method, id, within := route(r)
	f := s.interfere(method, len(body))
	if f.before(w, r) {
		return
	}
	s.mu.Lock()
	var answer any
	var failed *apiError
	switch {
	case method == Token:
		answer, failed = s.token(body)
	case method == "":
		failed = notFound()
	default:
		answer, failed = s.call(r, method, id, within, body)
	}
	s.mu.Unlock()
	switch {
	case f.DropAfter:
		panic(http.ErrAbortHandler)
	case f.HangAfter:
		<-r.Context().Done()
		return
	}
	if failed != nil {
		failed.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	json.NewEncoder(w).Encode(answer)
}

// route finds the method that is meant, the spreadsheet, and the range.
func route(r *http.Request) (method, id, within string) {
	path := r.URL.EscapedPath()
	if path == "/token" && r.Method == http.MethodPost {
		return Token, "", ""
	}
	rest, ok := strings.CutPrefix(path, "/v4/spreadsheets/")
	if !ok {
		return "", "", ""
	}
	id, tail, _ := strings.Cut(rest, "/")
	switch {
	case tail == "" && r.Method == http.MethodGet:
		return Get, id, ""
	case strings.HasSuffix(id, ":batchUpdate") && r.Method == http.MethodPost:
		return BatchUpdate, strings.TrimSuffix(id, ":batchUpdate"), ""
	case tail == "values:batchGet" && r.Method == http.MethodGet:
		return BatchGet, id, ""
	}
	within, ok = strings.CutPrefix(tail, "values/")
	within, err := url.PathUnescape(within)
	switch {
	case !ok || err != nil:
	case r.Method == http.MethodGet:
		return ValuesGet, id, within
	case r.Method == http.MethodPut:
		return Update, id, within
	}
	return "", "", ""
}

// interfere counts the call and returns what goes wrong with it.
func (s *Server) interfere(method string, bytes int) Fault {
	s.mu.Lock()
	s.calls = append(s.calls, Call{method, bytes})
	s.count[method]++
	n, fault := s.count[method], s.fault
	s.mu.Unlock()
	if fault != nil { // not under the lock: it may change spreadsheets
		if f := fault(method, n); f != nil {
			return *f
		}
	}
	return Fault{}
}

// before lets happen what comes before the call; true: in its place.
func (f *Fault) before(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case f.Hang:
		<-r.Context().Done()
		return true
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.Code != 0:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		(&apiError{f.Code, f.Status, f.Message, f.Reason}).write(w)
		return true
	}
	return false
}

// call checks who calls and what they may, and does it.
func (s *Server) call(r *http.Request, method, id, within string, body []byte) (any, *apiError) {
	who, failed := s.authenticate(r)
	if failed != nil {
		return nil, failed
	}
	writes := method == BatchUpdate || method == Update
	if failed := s.spend(who, writes); failed != nil {
		return nil, failed
	}
	b := s.books[id]
	switch {
	case b == nil:
		return nil, notFound()
	case !b.editors[who] && (writes || !b.readers[who]):
		return nil, &apiError{403, "PERMISSION_DENIED", "The caller does not have permission", ""}
	case b.office:
		return nil, &apiError{400, "FAILED_PRECONDITION", "This operation is not supported for this document", ""}
	}
	q := r.URL.Query()
	switch method {
	case Get:
		return b.get(q)
	case BatchUpdate:
		return b.batchUpdate(body)
	case ValuesGet:
		return b.valuesGet(within, q)
	case BatchGet:
		return b.batchGet(q)
	default:
		return b.update(within, q, body)
	}
}

// spend takes one request from the account's quota.
func (s *Server) spend(who string, write bool) *apiError {
	if now := time.Now(); now.Sub(s.window) >= s.limits.per {
		s.window = now
		clear(s.used)
	}
	kind, limit := "Read", s.limits.reads
	if write {
		kind, limit = "Write", s.limits.writes
	}
	if s.used[who+kind]++; s.used[who+kind] <= limit {
		return nil
	}
	return &apiError{429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric '" + kind + " requests' and limit '" + kind +
		" requests per minute per user' of service 'sheets.googleapis.com' for consumer 'project_number:100000000001'.", "RATE_LIMIT_EXCEEDED"}
}

// apiError is an error as the API answers it.
type apiError struct {
	code            int
	status, message string
	reason          string
}

func (e *apiError) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(e.code)
	body := map[string]any{"code": e.code, "message": e.message, "status": e.status}
	if e.reason != "" {
		body["details"] = []any{map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": e.reason, "domain": "googleapis.com"}}
	}
	var out any = map[string]any{"error": body}
	if e.status == "" { // the token endpoint has a form of its own
		out = map[string]any{"error": e.reason, "error_description": e.message}
	}
	json.NewEncoder(w).Encode(out)
}

func notFound() *apiError {
	return &apiError{404, "NOT_FOUND", "Requested entity was not found.", ""}
}

func invalid(message string) *apiError { return &apiError{400, "INVALID_ARGUMENT", message, ""} }

// masked keeps of an answer what a field mask names, such as
// "a.b,c(d,e.f)". A name that is not there is an error only if nothing has it.
func masked(v any, mask string) (any, bool) {
	if mask == "" || mask == "*" {
		return v, true
	}
	tree, rest := parseMask(mask)
	if rest != "" {
		return nil, false
	}
	return pick(v, tree), true
}

type maskTree map[string]maskTree

func parseMask(s string) (maskTree, string) {
	tree := maskTree{}
	for {
		at := tree
		for {
			end := strings.IndexAny(s, ".,()")
			if end < 0 {
				end = len(s)
			}
			name := s[:end]
			s = s[end:]
			if at[name] == nil {
				at[name] = maskTree{}
			}
			at = at[name]
			if strings.HasPrefix(s, ".") {
				s = s[1:]
				continue
			}
			if strings.HasPrefix(s, "(") {
				var inner maskTree
				inner, s = parseMask(s[1:])
				maps.Copy(at, inner)
				s = strings.TrimPrefix(s, ")")
			}
			break
		}
		if !strings.HasPrefix(s, ",") {
			return tree, s
		}
		s = s[1:]
	}
}

func pick(v any, tree maskTree) any {
	if len(tree) == 0 {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(tree)) {
			if member, ok := v[name]; ok {
				out[name] = pick(member, tree[name])
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = pick(v[i], tree)
		}
		return out
	}
	return v
}
