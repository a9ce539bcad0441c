// Package docs carries the examples of the definition language, from which its
// reference is made.
package docs

import "embed"

// Language holds the examples (language/*.yaml), in the order in which they are
// to be read, with the recordings of their tests.
//
//go:embed language
var Language embed.FS
