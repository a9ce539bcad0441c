// Package crawlers holds the definitions of the built-in crawlers, one YAML
// file each, named by its slug.
package crawlers

import "embed"

// FS holds the definitions.
//
//go:embed *.yaml
var FS embed.FS
