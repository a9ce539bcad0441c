// Package dom reads HTML as browsers do, and finds things in it.
//
// Parse follows the HTML standard (https://html.spec.whatwg.org/multipage/parsing.html,
// to whose sections the comments point) over UTF-8. The tree lies in flat
// arrays: nodes have numbers, names are interned, text and attribute values are
// views of the input wherever it says them literally, and of one arena where
// it does not. A Document can be used for page after page, and then allocates
// nothing.
//
// CONFORMANCE.md says how the package fares on the standard's test suite.
package dom
