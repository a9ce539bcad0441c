package crawler

import (
	"io/fs"

	"shoal"
)

// Catalogue is the set of known crawlers: the built-in ones and those of a
// directory, which is read anew when its files change. Safe for concurrent use.
type Catalogue struct {
	builtin fs.FS
	dir     string
}

// NewCatalogue returns a catalogue of the *.yaml files of builtin, each
// compiled at first use, and of those in dir, compiled now; dir may be empty.
// The error is Problems when a file of dir is wrong.
func NewCatalogue(builtin fs.FS, dir string) (*Catalogue, error) {
	return &Catalogue{builtin: builtin, dir: dir}, nil
}

// Lookup returns a crawler by id, slug or lower-cased name;
// shoal.ErrCrawlerNotFound when there is none.
func (c *Catalogue) Lookup(idOrSlug string) (*Program, error) {
	return nil, shoal.ErrCrawlerNotFound
}

// List returns every crawler, by slug.
func (c *Catalogue) List() ([]shoal.Crawler, error) { return nil, nil }

// LoadFile compiles the definition in the file at path; it does not enter the catalogue.
func (c *Catalogue) LoadFile(path string) (*Program, error) {
	return nil, shoal.ErrCrawlerNotFound
}
