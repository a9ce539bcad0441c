package extract

import (
	"bytes"
	"fmt"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// This file is the seam to the HTML parser: the rest of the package reads the
// tree through node and the functions here and in walk.go and text.go.

// node is an element, a text or a document.
type node = html.Node

// maxTreeDepth is how deep a document built by flatTree nests.
const maxTreeDepth = 256

// parseHTML parses a page. <noscript> is content, since no script will run.
// A page that the parser refuses for its depth is read flat instead.
func parseHTML(body []byte) *node {
	if doc, err := parseStrict(body); err == nil {
		return doc
	}
	return flatTree(body)
}

func parseStrict(body []byte) (doc *node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("parse HTML: %v", r)
		}
	}()
	return html.ParseWithOptions(bytes.NewReader(body), html.ParseOptionEnableScripting(false))
}

// flatTree builds a tree from the tokens alone: elements deeper than
// maxTreeDepth become siblings instead of children. Nothing is lost but the nesting.
func flatTree(body []byte) *node {
	z := html.NewTokenizer(bytes.NewReader(body))
	doc := &node{Type: html.DocumentNode}
	stack := []*node{doc}
	for {
		switch z.Next() {
		case html.ErrorToken:
			return doc
		case html.TextToken:
			stack[len(stack)-1].AppendChild(&node{Type: html.TextNode, Data: string(z.Text())})
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			n := &node{Type: html.ElementNode, DataAtom: t.DataAtom, Data: t.Data, Attr: t.Attr}
			stack[len(stack)-1].AppendChild(n)
			if !void(t.DataAtom) && t.Type == html.StartTagToken && len(stack) < maxTreeDepth {
				stack = append(stack, n)
			}
		case html.EndTagToken:
			t := z.Token()
			for i := len(stack) - 1; i > 0; i-- {
				if stack[i].Data == t.Data {
					stack = stack[:i]
					break
				}
			}
		}
	}
}

func void(a atom.Atom) bool {
	switch a {
	case atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input, atom.Link, atom.Meta,
		atom.Source, atom.Track, atom.Wbr, atom.Param:
		return true
	}
	return false
}

// attr returns an attribute's value and whether the element has it.
func attr(n *node, name string) (string, bool) {
	for i := range n.Attr {
		if n.Attr[i].Key == name {
			return n.Attr[i].Val, true
		}
	}
	return "", false
}

// next returns the node after n in document order within root, entering n's
// children if into is true; nil at the end. n lies within root.
func next(n, root *node, into bool) *node {
	if into && n.FirstChild != nil {
		return n.FirstChild
	}
	for n != root {
		if n.NextSibling != nil {
			return n.NextSibling
		}
		n = n.Parent
	}
	return nil
}
