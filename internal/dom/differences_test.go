package dom

import (
	"regexp"
	"strings"
)

// A difference is a construct that x/net/html reads otherwise than the standard
// has it. It explains a page's other tree only if the two agree on the page
// once avoid has taken that construct out of it, and nothing else.
type difference struct {
	section, what string
	avoid         func(page string) string
}

// differences are all that are known; CONFORMANCE.md lists them.
var differences = []difference{
	{"13.2.5.7", "`</>` is nothing; x/net makes a comment of it",
		func(page string) string {
			for strings.Contains(page, "</>") {
				page = strings.ReplaceAll(page, "</>", "")
			}
			return page
		}},
	{"13.2.5.33", "of attributes whose names are the same once their NULs are replaced, the first counts; x/net has them all",
		where(`<[a-zA-Z][^>]*\x00`, rewrite(`\x00`, "\uFFFD"))},
	{"13.2.5.37", "a `/` behind a value without quotes belongs to it; for x/net it closes the tag too",
		where(`(?i)<(svg|math)`, rewrite(`(=\s*[^\s"'>]*)/+>`, "$1>"))},
	{"13.2.6.3", "only elements of HTML are closed by implication; x/net closes those of SVG and MathML by their names alone",
		where(`(?i)<(svg|math)`, rewrite(`(?i)<(/?)(dd|dt|li|optgroup|option|p|rb|rp|rt|rtc)([\s/>])`, "<${1}x-$2$3"))},
	{"13.2.4.1", "the insertion mode is reset by elements of HTML; for x/net those of SVG and MathML count by their names alone",
		where(`(?i)<(svg|math)`, func(page string) string {
			at := foreignStart.FindStringIndex(page)[1]
			return page[:at] + resetting.ReplaceAllString(page[at:], "<${1}x-$2$3")
		})},
	{"13.2.6.5", "`template` in SVG and MathML is an element as others; x/net ignores the rest of such a page",
		where(`(?i)<(svg|math)`, rewrite(`(?i)<(/?)template`, "<${1}x-template"))},
	{"4.10.10", "`selectedcontent` shows a copy of what the selected option holds; not so for x/net",
		rewrite(`(?i)<(/?)selectedcontent`, "<${1}x-selectedcontent")},
	{"13.2.4.2", "`search` is special; not so for x/net",
		rewrite(`(?i)<(/?)search([\s/>])`, "<${1}section$2")},
	{"13.2.6.4.5", "white space in `noscript` within the head belongs to it; x/net gives what other text follows to the head",
		where(`(?i)<noscript`, rewrite(`>(?:`+space+`)+`, ">"))},
	{"13.2.6.4.18", "a start tag that is ignored, as by a frameset, begins no raw text; for x/net's tokenizer it does",
		where(`(?i)<frameset`, rewrite(`(?i)<(/?)(style|script|title|textarea|xmp|iframe|noembed|noscript|plaintext)`, "<${1}x-$2"))},
	{"13.2.6.4.12", "so do columns in a template ignore it",
		where(`(?is)<template.*<col`, rewrite(`(?i)<(/?)(style|script|title|textarea|xmp|iframe|noembed|noscript|noframes|plaintext)`, "<${1}x-$2"))},
	{"13.2.6.4.4", "behind a template no frameset takes the body's place; x/net allows it where the body has no tag",
		where(`(?i)<frameset`, rewrite(`(?i)<(/?)template`, "<${1}x-template"))},
	{"13.2.5.23", "in a script's `<!--`, a `<` before what begins no tag changes nothing; x/net leaves the `<!--`",
		where(`(?is)<script.*<!--`, func(page string) string {
			at := escapedScript.FindStringIndex(page)[1]
			return page[:at] + noTag.ReplaceAllString(several.ReplaceAllString(page[at:], "<"), "$1")
		})},
	{"13.2.6.4.11", "`th` ends a caption, as `td` does; not so for x/net",
		where(`(?i)<caption`, rewrite(`(?i)<(/?)th([\s/>])`, "<${1}td$2"))},
	{"13.2.5.53 to 13.2.5.68, 13.2.6.4.1", "which DOCTYPEs mean quirks mode, if they are broken or have no system identifier, and that none has character references",
		func(page string) string {
			return anyDoctype.ReplaceAllStringFunc(page, func(s string) string {
				if wellFormed.MatchString(s) {
					return s
				}
				return "<!doctype html>"
			})
		}},
	{"13.2.6.4.17", "a DOCTYPE behind the body is nothing; x/net goes on in the body",
		where(`(?i)</(body|html)`, func(page string) string {
			at := bodyEnd.FindStringIndex(page)[1]
			return page[:at] + anyDoctype.ReplaceAllString(page[at:], "")
		})},
	{"13.2.6.4.10", "the text of a table is in one place; x/net has a `<` or `</` at the page's end by itself",
		where(`(?i)<table`, rewrite(`<+/?$`, ""))},
	{"13.2.6.4.7", "the adoption agency closes formatting elements that lie more than three above the furthest block; x/net only forgets them",
		func(page string) string {
			if len(startTag.FindAllStringIndex(page, 5)) < 5 || len(formattingStart.FindAllStringIndex(page, 2)) < 2 {
				return page
			}
			return formattingTag.ReplaceAllString(page, "<${1}x-$2$3")
		}},
	{"13.2.6.4.7", "a newline is left out if it is the next token after `pre`, `listing` or `textarea`; for x/net if it is the first child",
		where(`(?i)<(pre|listing|textarea)`, rewrite(newline, "_"))},
}

// What is white space and what a line end, also as a character reference.
const (
	newline = `(?i)\n|\r|&#0*1[03];?|&#x0*[ad];?|&newline;`
	space   = `[ \t\n\f\r]|&#0*(?:9|1[0-3]|32);?|&#x0*(?:[9acd]|20);?|&(?:NewLine|Tab);`
)

var (
	anyDoctype      = regexp.MustCompile(`(?i)<!doctype[^>]*>?`)
	wellFormed      = regexp.MustCompile(`(?i)^<!doctype\s+html(\s+public\s+"[^">&\x00]*"\s+"[^">&\x00]*"|\s+system\s+"[^">&\x00]*")?\s*>$`)
	escapedScript   = regexp.MustCompile(`(?is)<script.*?<!--`)
	several         = regexp.MustCompile(`<{2,}`)
	noTag           = regexp.MustCompile(`<([^a-zA-Z/]|$)`)
	templateTag     = regexp.MustCompile(`(?i)<template`)
	startTag        = regexp.MustCompile(`<[a-zA-Z]`)
	formattingStart = regexp.MustCompile(`(?i)<(a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/>]`)
	formattingTag   = regexp.MustCompile(`(?i)<(/?)(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)([\s/>])`)
	foreignStart    = regexp.MustCompile(`(?i)<(svg|math)`)
	resetting       = regexp.MustCompile(`(?i)<(/?)(select|t[dhr]|tbody|thead|tfoot|caption|colgroup|frameset|html)([\s/>])`)
	bodyEnd         = regexp.MustCompile(`(?i)</(body|html)`)
)

// rewrite replaces all that a regular expression matches.
func rewrite(pattern, by string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(page string) string { return re.ReplaceAllString(page, by) }
}

// where applies to pages in which a regular expression matches.
func where(pattern string, avoid func(string) string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(page string) string {
		if !re.MatchString(page) {
			return page
		}
		return avoid(page)
	}
}

// unexplained compares a page's tree with x/net's, and reports a difference
// that stays when what is known to differ is taken out of the page.
func unexplained(d *Document, page string) error {
	err := compare(d, page, false)
	if err == nil {
		return nil
	}
	plain := page
	for _, one := range differences {
		plain = one.avoid(plain)
	}
	// § 13.2.6.1: what is fostered into a template joins the text that is there
	// already; x/net has a text beside it.
	joined := templateTag.MatchString(page)
	if plain == page && !joined {
		return err
	}
	return compare(d, plain, joined)
}
