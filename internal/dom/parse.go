package dom

import (
	"bytes"
	"fmt"
	"strings"

	"shoal/internal/dom/atom"
)

// Options say how a page is read. The zero value is right for a page that was
// fetched: no scripts run, so what noscript holds is content.
type Options struct {
	// Scripting makes noscript raw text, as for a browser that runs scripts.
	Scripting bool
	// Context makes the input a fragment, the contents of an element of that
	// name: "div", "td", or with its namespace "svg path", "math mi" (§ 13.4).
	// The nodes are then the children of Root.
	Context string
	// MaxNodes ends a page that has more nodes; 0 means DefaultMaxNodes.
	MaxNodes int
}

// DefaultMaxNodes bounds what a page may take: 40 bytes a node.
const DefaultMaxNodes = 4 << 20

// maxInput is the most that spans can address, with room for what repair and
// decoding add: three bytes for one at the worst, twice.
const maxInput = 1 << 28

// A Truncation says which limit a page has met.
type Truncation string

const (
	TruncatedInput      Truncation = "the page is longer than 256 MiB; the rest was not read"
	TruncatedNodes      Truncation = "the page has too many nodes; the rest was not read"
	TruncatedDepth      Truncation = "the page is nested deeper than 512 elements; deeper ones were read as siblings"
	TruncatedFormatting Truncation = "the page leaves too many formatting elements open; they were not opened again"
	TruncatedAttributes Truncation = "the page has too many html and body tags; their attributes were left out"
)

// Parse reads a page in UTF-8; what is not valid counts as U+FFFD, as in
// browsers. Every input has a tree: the only errors are an unusable Context
// or MaxNodes. The document keeps buf, which must not change.
func Parse(buf []byte, opts Options) (*Document, error) {
	d := new(Document)
	if err := d.Parse(buf, opts); err != nil {
		return nil, err
	}
	return d, nil
}

// Parse reads a page into a document, in place of what it held, and reuses
// its memory, however much that is. Strings of the former page become invalid.
func (d *Document) Parse(buf []byte, opts Options) error {
	context, ns, err := parseContext(opts.Context)
	if err != nil {
		return err
	}
	if opts.MaxNodes < 0 {
		return fmt.Errorf("parse HTML: MaxNodes is %d; want 0 (the default) or more", opts.MaxNodes)
	}
	d.forget()
	if d.parser == nil {
		d.parser = new(parser)
	}
	// The parser works on the document's memory in place of its own, so that
	// every access is direct.
	p := d.parser
	p.Document = *d
	p.prepare(buf, opts)
	if context != "" {
		p.beginFragment(context, ns)
	}
	p.run()
	p.finish()
	*d = p.Document
	p.Document = Document{}
	return nil
}

// keptNodes and keptText bound the memory that Reset keeps, 1.3 MB of nodes
// and one of text: several times what pages of 100 kB have. For larger ones it
// costs little beside parsing them to take as much as they need, once.
const (
	keptNodes = 1 << 15
	keptText  = 1 << 20
)

// largePage is the length in bytes from which the memory of nodes is taken by
// the page's tags.
const largePage = 256 << 10

// Reset empties the document, so that it holds the input no longer, and keeps
// its memory unless a huge page has made that large.
func (d *Document) Reset() {
	if cap(d.nodes) > keptNodes || cap(d.attrs) > keptNodes || cap(d.arena) > keptText ||
		d.parser != nil && cap(d.parser.repairs) > keptText {
		*d = Document{}
		return
	}
	d.forget()
}

func (d *Document) forget() {
	d.nodes, d.attrs, d.arena, d.src = d.nodes[:0], d.attrs[:0], d.arena[:0], nil
	d.names.reset()
	d.Quirks, d.XML, d.Truncated, d.scripting = false, false, "", false
}

func parseContext(s string) (name string, ns Namespace, err error) {
	space, rest, found := strings.Cut(s, " ")
	if !found {
		return s, HTML, nil
	}
	switch space {
	case "svg":
		return rest, SVG, nil
	case "math":
		return rest, MathML, nil
	}
	return "", 0, fmt.Errorf("parse HTML: the context %q has an unknown namespace; want a name such as div, svg path or math mi", s)
}

// A parser is the tokenizer (§ 13.2.5) and the tree construction (§ 13.2.6)
// in one: a token is handed on in tok, and its attributes lie already where
// the element will have them.
type parser struct {
	Document
	tokenizer
	tok token

	mode, original mode
	templateModes  []mode

	stack      []opened // the stack of open elements (§ 13.2.4.2)
	count      [atom.NumElements]int32
	formatting []formatted // the list of active formatting elements (§ 13.2.4.3)
	copies     int         // how many more elements may be opened again, or attributes be moved
	flat       []atom.Atom // the open elements below the deepest level, see depth.go

	head, form NodeID
	context    tag // of a fragment; 0 for a page
	fostering  bool
	framesetOK bool
	skipLF     bool // a newline that begins the next text is no content
	unordered  bool // ids are not in document order any more
	showing    bool // there is a selectedcontent
	afterBody  bool // a comment went behind the body: more content is out of order

	maxNodes int
	slack    map[NodeID]uint32 // room behind texts that grew, see text.go
	spare    []node            // the other array of renumber
	ranks    []NodeID
}

func (p *parser) prepare(buf []byte, opts Options) {
	if len(buf) > maxInput {
		buf, p.Truncated = buf[:maxInput], TruncatedInput
	}
	p.maxNodes = opts.MaxNodes
	if p.maxNodes == 0 {
		p.maxNodes = DefaultMaxNodes
	}
	p.scripting = opts.Scripting
	p.tok = token{}
	p.mode, p.original = modeInitial, modeInitial
	p.templateModes, p.stack, p.formatting, p.flat = p.templateModes[:0], p.stack[:0], p.formatting[:0], p.flat[:0]
	clear(p.count[:])
	p.copies = 4096 + len(buf)/4
	p.head, p.form, p.context = None, None, 0
	p.fostering, p.framesetOK, p.skipLF, p.unordered, p.afterBody, p.showing = false, true, false, false, false, false
	clear(p.slack)
	p.open(buf)
	p.reserve(buf)
	p.nodes = append(p.nodes, node{}, node{typ: DocumentNode})
}

// reserve makes room for the nodes of buf. Of a large page the tags are counted:
// arrays that grow a quarter at a time leave four times the page's size behind.
func (p *parser) reserve(buf []byte) {
	if len(buf) < largePage {
		if p.nodes == nil {
			p.nodes = make([]node, 0, 16+len(buf)/24)
			p.attrs = make([]Attr, 0, 16+len(buf)/48)
		}
		return
	}
	tags := min(bytes.Count(buf, []byte("<")), p.maxNodes)
	if most := tags + tags/3; cap(p.nodes) < most {
		p.nodes = make([]node, 0, most)
	}
	if most := tags * 2 / 3; cap(p.attrs) < most {
		p.attrs = make([]Attr, 0, most)
	}
}

// beginFragment is § 13.4, parsing HTML fragments. The root stands for the
// html element that the standard makes and then leaves out.
func (p *parser) beginFragment(context string, ns Namespace) {
	name := atom.Lookup([]byte(context))
	if name == 0 {
		name = p.names.intern(&p.Document, p.keep(context))
	}
	p.context = makeTag(ns, name)
	p.push(Root, tag(atom.Html))
	if ns == HTML {
		// No start tag was read, so no end tag ends what is text.
		if p.enterRawText(name); p.state != stateData && p.state != stateRCDATA {
			p.state = statePlaintext
		}
		p.rawName = 0
	}
	if p.context == tag(atom.Template) {
		p.templateModes = append(p.templateModes, modeInTemplate)
	}
	p.resetMode()
}

// keep copies a string into the arena.
func (p *parser) keep(s string) span {
	p.arena = append(p.arena, s...)
	return span{uint32(len(p.arena)-len(s)) | inArena, uint32(len(s))}
}

func (p *parser) run() {
	for p.tok.kind != tokenEOF {
		if len(p.nodes) >= p.maxNodes {
			p.truncate(TruncatedNodes)
			p.pos = len(p.src)
			p.state = stateData
		}
		p.next()
		if p.skipLF {
			p.skipLF = false
			if p.tok.kind == tokenText && p.bytes(p.tok.data)[0] == '\n' {
				p.tok.data = p.tok.data.from(1)
				if p.tok.data.len == 0 {
					continue
				}
			}
		}
		if len(p.stack) >= maxDepth && p.tooDeep() {
			continue
		}
		p.dispatch()
	}
}

// dispatch gives the token to the rules that hold until some have used it
// (§ 13.2.6, the tree construction dispatcher).
func (p *parser) dispatch() {
	for done := false; !done; {
		if p.adjustedCurrent() >= foreignTag && p.inForeign() {
			done = p.foreign()
		} else {
			done = p.rules(p.mode)
		}
	}
}

// finish puts the ids in document order if the page's repairs have upset it.
func (p *parser) finish() {
	if p.showing {
		p.showSelected()
	}
	if p.unordered {
		p.renumber()
	}
}

func (p *parser) truncate(t Truncation) {
	if p.Truncated == "" {
		p.Truncated = t
	}
}
