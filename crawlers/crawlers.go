// Package crawlers holds the definitions of the built-in crawlers, one YAML
// file each, named by its slug, with the recordings that test them.
package crawlers

import "embed"

// FS holds the definitions and, in testdata, the answers that their recorded
// tests replay.
//
//go:embed *.yaml testdata
var FS embed.FS
