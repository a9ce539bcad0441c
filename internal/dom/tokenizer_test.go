package dom

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"shoal/internal/dom/atom"
)

// A tokenCase is a case of tokenizer/*.test, in one of its initial states.
type tokenCase struct {
	Description   string
	InitialStates []string
	LastStartTag  string
	Input         string
	Output        [][]any
	DoubleEscaped bool
}

func readTokenCases(t *testing.T, path string) []tokenCase {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Tests, XmlViolationTests []tokenCase }
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var list []tokenCase
	for _, c := range append(file.Tests, file.XmlViolationTests...) {
		states := c.InitialStates
		if len(states) == 0 {
			states = []string{"Data state"}
		}
		if c.DoubleEscaped {
			c.Input = unescape(c.Input)
		}
		for _, s := range states {
			c.InitialStates = []string{s}
			list = append(list, c)
		}
	}
	return list
}

// unescape decodes \uXXXX; the surrogates that the suite also says become
// U+FFFD, as no UTF-8 holds them.
func unescape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if strings.HasPrefix(s, `\u`) && len(s) >= 6 {
			if n, err := strconv.ParseUint(s[2:6], 16, 32); err == nil {
				b.WriteRune(rune(n))
				s = s[6:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// want is the expected tokens in a form to compare: adjacent texts in one.
func (c tokenCase) want() string {
	var b tokenList
	for _, out := range c.Output {
		text := func(i int) string {
			s, _ := out[i].(string)
			if c.DoubleEscaped {
				s = unescape(s)
			}
			return s
		}
		switch out[0] {
		case "Character":
			b.text(text(1))
		case "Comment":
			b.add("comment %q", text(1))
		case "DOCTYPE":
			correct, _ := out[4].(bool)
			b.doctype(text(1), out[2] != nil, text(2), out[3] != nil, text(3), correct)
		case "StartTag":
			attrs := map[string]string{}
			for k, v := range out[2].(map[string]any) {
				s := v.(string)
				if c.DoubleEscaped {
					k, s = unescape(k), unescape(s)
				}
				attrs[k] = s
			}
			closing, _ := out[len(out)-1].(bool)
			b.add("start %q %q %v", text(1), attrs, closing)
		case "EndTag":
			b.add("end %q", text(1))
		}
	}
	return b.String()
}

// A tokenList is tokens, one a line.
type tokenList struct {
	strings.Builder
	pending string
}

func (b *tokenList) text(s string) { b.pending += s }
func (b *tokenList) add(format string, args ...any) {
	b.flush()
	fmt.Fprintf(&b.Builder, format+"\n", args...)
}
func (b *tokenList) flush() {
	if b.pending != "" {
		fmt.Fprintf(&b.Builder, "text %q\n", b.pending)
	}
	b.pending = ""
}
func (b *tokenList) doctype(name string, hasPublic bool, public string, hasSystem bool, system string, correct bool) {
	b.add("doctype %q %v %q %v %q %v", name, hasPublic, public, hasSystem, system, correct)
}
func (b *tokenList) String() string { b.flush(); return b.Builder.String() }

var tokenStates = map[string]state{"Data state": stateData, "PLAINTEXT state": statePlaintext, "RCDATA state": stateRCDATA,
	"RAWTEXT state": stateRawText, "Script data state": stateScript, "CDATA section state": stateCDATA}

func (c tokenCase) ours(t *testing.T) string {
	p := new(parser)
	p.prepare([]byte(c.Input), Options{})
	var known bool
	if p.state, known = tokenStates[c.InitialStates[0]]; !known {
		t.Fatalf("the suite has a new state: %q", c.InitialStates[0])
	}
	p.rawName = atom.Lookup([]byte(c.LastStartTag))
	if p.state == stateScript && p.rawName == 0 {
		p.rawName = atom.Script
	}
	var b tokenList
	for p.next(); p.tok.kind != tokenEOF; p.next() {
		switch p.tok.kind {
		case tokenText:
			b.text(p.text(p.tok.data))
		case tokenComment:
			b.add("comment %q", p.text(p.tok.data))
		case tokenEnd:
			b.add("end %q", p.NameOf(p.tok.name))
		case tokenStart:
			attrs := map[string]string{}
			for _, a := range p.attrs[p.tok.data.off:] {
				attrs[p.NameOf(a.Name)] = p.Value(a)
			}
			b.add("start %q %q %v", p.NameOf(p.tok.name), attrs, p.tok.selfClosing)
		case tokenDoctype:
			public, hasPublic := p.tokenAttr(atom.Public)
			system, hasSystem := p.tokenAttr(atom.System)
			b.doctype(p.NameOf(p.tok.name), hasPublic, public, hasSystem, system, !p.tok.quirks)
		}
	}
	return b.String()
}

const unasked = "not to be asked"

// theirs is x/net's tokens. It has no initial states but data, and leaves the
// doctype to its parser, so what those would be is unknown there.
func (c tokenCase) theirs() string {
	if c.InitialStates[0] != "Data state" || strings.Contains(strings.ToUpper(c.Input), "<!DOCTYPE") {
		return unasked
	}
	var b tokenList
	z := html.NewTokenizer(strings.NewReader(c.Input))
	for z.Next() != html.ErrorToken {
		switch tok := z.Token(); tok.Type {
		case html.TextToken:
			b.text(tok.Data)
		case html.CommentToken:
			b.add("comment %q", tok.Data)
		case html.EndTagToken:
			b.add("end %q", tok.Data)
		case html.StartTagToken, html.SelfClosingTagToken:
			attrs := map[string]string{}
			for _, a := range tok.Attr {
				attrs[a.Key] = a.Val
			}
			b.add("start %q %q %v", tok.Data, attrs, tok.Type == html.SelfClosingTagToken)
		}
	}
	return b.String()
}
