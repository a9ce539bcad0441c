// Package crawler reads crawler definitions: it parses, checks and compiles
// them into programs and keeps the catalogue of those that are known.
package crawler

import (
	"time"

	"shoal"
	"shoal/internal/jq"
	"shoal/internal/value"
	"shoal/internal/xpath"
)

// Program is a compiled definition. It is immutable and safe for concurrent use.
type Program struct {
	// Info is the crawler as clients see it.
	Info shoal.Crawler
	// Source is the definition as it was given.
	Source []byte
	// Policy is how its requests are to be made.
	Policy Policy
	// ErrorBudget is the share of tasks that may fail, 0..1.
	ErrorBudget float64
	// Starts are the possible first requests; the first whose When holds is made.
	Starts []*Start
	// Pages are the kinds of pages, by name.
	Pages map[string]*Page
	// Since names the date field that fetch_since compares; empty: none.
	Since string
	// NewestFirst is true when the site lists newest rows first, so that one
	// that is too old ends the task.
	NewestFirst bool
	// Detect are the rules for every page kind, after the kind's own.
	Detect []*Detect
	// Account is the log-in that the crawler works with; nil: none of its own.
	Account *Account
	// Tests are the definition's recorded tests.
	Tests []Test

	accountAt at // where the account block stands

	task   inputs // what a task takes
	squid  inputs // what a squid takes, add-ons apart
	addons []addon
}

// Policy is how a crawler's requests are to be made. Zero values leave the
// decision to the fetcher's own defaults.
type Policy struct {
	// Robots is false when the definition switches robots.txt off, and then
	// RobotsWhy says why.
	Robots    bool
	RobotsWhy string
	// Delay is the pause between two requests to one host.
	Delay time.Duration
	// HostConcurrency is the most requests in flight to one host.
	HostConcurrency int
	// Header is sent with every request, besides the request's own.
	Header map[string]string
	// Cookies are what each task's jar begins with, for the site of its start.
	Cookies []HeaderLine
	// MaxBytes caps one response's body, after decompression.
	MaxBytes int64
	// Timeout caps one request from dialling to the last byte.
	Timeout time.Duration
	// Retries is how often a failed request is tried again; -1: the fetcher's default.
	Retries int
}

// Message is what a request has besides its URL, as templates.
type Message struct {
	Method string // empty: GET
	Header []HeaderLine
	Body   *Body // nil: none
	// Uses is what the templates read together.
	Uses Uses
}

// HeaderLine is one header, cookie or form field of a request.
type HeaderLine struct {
	Name  string
	Value *Template
}

// Plain reports whether the request is a GET without headers of its own.
func (m *Message) Plain() bool { return m.Method == "" && len(m.Header) == 0 && m.Body == nil }

// Start is a task's first request.
type Start struct {
	When *Expr // nil: always
	URL  *Template
	Page string
	Message
}

// Format is what a page kind's source is.
type Format string

// The formats of a page.
const (
	HTML Format = "html" // CSS selectors on the document
	XML  Format = "xml"  // element names, read as a stream; gzip is unpacked
	JSON Format = "json" // dotted paths and jq; gzip is unpacked
	CSV  Format = "csv"  // a line for each row; gzip is unpacked
	Text Format = "text" // regular expressions
)

var formats = []string{string(HTML), string(XML), string(JSON), string(CSV), string(Text)}

// Page is a kind of page: what to follow on it and which rows it gives.
type Page struct {
	Name   string
	Format Format
	// AnyStatus reads pages of every HTTP status; else only 2xx.
	AnyStatus bool
	// Tree is true when an XML page is read as a tree and not as a stream.
	Tree     bool
	CSV      CSVOptions
	Follow   []*Follow
	Paginate []*Paginate // the first whose When holds
	// Refresh follows <meta http-equiv=refresh>.
	Refresh bool
	Rows    *Rows // nil: none
	Stop    []*Expr
	// NoNewRows is how many pages in a row without a new row end the task; 0: none do.
	NoNewRows int
	Detect    []*Detect
	// Counts are the limits of the account that a page of this kind counts against.
	Counts []string
}

// CSVOptions say how a CSV page is read.
type CSVOptions struct {
	Delimiter rune     // 0: the one that the first line uses
	Columns   []string // nil: the first line names them
}

// Scope bounds which links are followed, compared with the task's start.
type Scope string

// The scopes of a follow rule.
const (
	ScopeAny    Scope = "any"
	ScopeHost   Scope = "host"   // the same host, "www." apart
	ScopeDomain Scope = "domain" // the same registrable domain
	ScopePrefix Scope = "prefix" // the same origin, under the directory of the start's path
)

// Scopes are the scopes' names.
var Scopes = []string{string(ScopeAny), string(ScopeHost), string(ScopeDomain), string(ScopePrefix)}

// What a follow rule does with addresses that look like traps: calendars, reply
// forms, log-ins that lead back, sort orders, print views.
const (
	TrapsAvoid  = "avoid"
	TrapsFollow = "follow"
)

var trapWords = []string{TrapsAvoid, TrapsFollow}

// Source is where in an answer, or within a row, a text is looked for. At most
// one of Select, XPath, Path, JQ and Header is set.
type Source struct {
	Select string
	Attr   string // of an element; empty: its text
	XPath  *xpath.Expr
	Path   *Template // over params
	JQ     *jq.Program
	Header string  // of the response, canonical
	Match  *Regexp // what of the text counts; nil: all
}

// Follow finds the requests that a page leads to: by its Source, on a text page
// by Match alone, by the Link header's Rel, or one by URL. With a source, URL
// makes the address of what it found.
type Follow struct {
	Source
	Rel  string
	URL  *Template
	Page string
	When *Expr // nil: always
	// Carry sends the row that the link stands in along; the page it leads to completes it.
	Carry bool
	// Scope is a template that gives a Scope; nil: any.
	Scope *Template
	// Traps is a template that gives TrapsAvoid or TrapsFollow; nil: follow.
	Traps *Template
	// Include and Exclude are templates of regular expressions on the URL; nil
	// or an empty result: no such condition.
	Include, Exclude *Template
	// Skip are file extensions, lower case with their dot, not to follow.
	Skip []string
	// MaxDepth gives the most links from the start; nil: no limit.
	MaxDepth *Expr
	Message
}

// Rows finds the rows of a page.
type Rows struct {
	// Each selects the rows' elements. At most one of Each, XPath and JQ is set;
	// with none, the page (or each item of Data) is one row.
	Each  string
	XPath *xpath.Expr
	JQ    *jq.Program
	Data  *Data // nil: the page itself
	// Key names the fields that make a row unique in its run.
	Key []string
	// Extends completes the row that the request carried.
	Extends bool
	Where   []*Expr // a row must meet all
	Fields  []*Field
}

// DataKind is a kind of JSON embedded in an HTML page.
type DataKind string

// The kinds of embedded JSON.
const (
	DataJSONLD    DataKind = "jsonld"
	DataMicrodata DataKind = "microdata"
	DataOpenGraph DataKind = "opengraph"
	DataScript    DataKind = "script"
)

// Things are the kinds of data that Shoal finds on pages of any site, whose
// readers extract has; each with the format of its pages.
var Things = map[string]Format{"article": HTML, "contacts": HTML, "tables": HTML, "products": HTML, "links": HTML, "records": JSON, "feed": Text}

// Data is what a page holds, as JSON items: embedded JSON, or one of Things.
type Data struct {
	Kind    DataKind
	Options []HeaderLine // templates over params
	Script  string       // selector of the scripts
	Match   *Regexp      // what stands before the JSON; nil: nothing
	Types   []string     // items of other types are left out; nil: none is
}

// As is the type that a field's text is read as.
type As string

// The types of a field's value.
const (
	AsString     As = "string"      // text on one line, white space collapsed
	AsRaw        As = "raw"         // as it stands
	AsText       As = "text"        // readable text, a line for each block, without what is hidden
	AsMainText   As = "main_text"   // the text of the main content in the element, without menus and what else stands beside it
	AsHTML       As = "html"        // the element's markup
	AsMarkdown   As = "markdown"    // the element as Markdown
	AsInt        As = "int"         // the first whole number
	AsFloat      As = "float"       // the first number
	AsMoney      As = "money"       // an amount, its currency dropped
	AsPercent    As = "percent"     // the number before a percent sign
	AsBoolean    As = "boolean"     // true, yes, 1, on …
	AsDate       As = "date"        // RFC 3339, UTC
	AsURL        As = "url"         // absolute
	AsUntracked  As = "untracked"   // absolute, without the parameters that only track visitors (utm_source, gclid, fbclid …)
	AsCanonical  As = "canonical"   // the form in which addresses are compared: untracked, without session and fragment, host and escapes normal
	AsLength     As = "length"      // characters of the string
	AsTextLength As = "text_length" // characters of the text
	AsEmail      As = "email"       // an email address, also one that is disguised
	AsPhone      As = "phone"       // a phone number, E.164
	AsCountry    As = "country"     // a country, ISO 3166 alpha-2
	AsCurrency   As = "currency"    // the currency of an amount, ISO 4217
	AsCount      As = "count"       // how many matches
	AsJSON       As = "json"        // JSON text, embedded
)

var asNames = []string{"string", "raw", "text", "main_text", "html", "markdown", "int", "float", "money", "percent", "boolean",
	"date", "url", "untracked", "canonical", "email", "phone", "country", "currency", "length", "text_length", "count", "json"}

// Keep narrows a list of URLs.
type Keep string

// What a list of URLs may be narrowed to.
const (
	KeepAll      Keep = ""
	KeepInternal Keep = "internal" // the page's host, "www." apart
	KeepExternal Keep = "external"
)

// Field is one field of a row. Exactly one of Select, XPath, Path, JQ, From,
// Value and Fields alone is its source; a Select of "" with an Attr or As reads
// the row's own element.
type Field struct {
	Name string
	// Index is the field's place among the crawler's attributes; -1 in an object.
	Index int
	// Element is true when the value is read from an element (HTML, XML).
	Element bool
	Select  string
	Attr    string
	XPath   *xpath.Expr
	Path    string
	JQ      *jq.Program
	Data    *Data // what Path and JQ read; nil: the row
	From    string
	Value   *Expr
	// Fields make an object of the source; nil: it is a value.
	Fields  []*Field
	Match   *Regexp
	Replace []Replace
	Split   string
	Map     map[string]any
	List    bool
	Unique  bool
	Keep    Keep
	As      As
	// Date is how a date is read; its Layout is Go's.
	Date    value.DateOptions
	Region  string // of a phone number without prefix, ISO 3166 alpha-2
	Default any
	// Required drops rows that lack the field.
	Required bool
	// Function is the bit of the add-on that fills the field; -1: always filled.
	Function int
}

// Replace is a regular-expression replacement.
type Replace struct {
	Match *Regexp
	With  string
}

// Detect says what a response means for the run or its account.
type Detect struct {
	When   *Expr
	Reason shoal.DoneReason
}
