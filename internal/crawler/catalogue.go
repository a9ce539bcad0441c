package crawler

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal"
)

// Catalogue is the set of known crawlers: the built-in ones and those of
// directories, which are read anew when their files change. A directory's crawler
// takes the place of a built-in one with the same slug. Safe for concurrent use.
type Catalogue struct {
	// Log takes what is wrong with changed files; nil: slog.Default. It is set
	// before the first use.
	Log *slog.Logger

	builtin fs.FS
	slugs   []string // of builtin, sorted

	mu       sync.Mutex
	compiled map[string]*Program // of builtin, by slug
	dirs     []string
	later    map[string]bool     // of dirs: those that need not exist yet
	away     map[string]bool     // of dirs: those that could not be read, and it was said
	files    map[string]*dirFile // by path
}

// dirFile is a definition of a directory as it was last seen. program is the
// last version that compiled: a mistake made while editing does not take a
// crawler away. What is wrong then stands in its Info.
type dirFile struct {
	size     int64
	modified time.Time
	program  *Program
	fresh    *Program // not in use yet, or not at all: why says what is in its way
	why      string
}

// NewCatalogue returns a catalogue of the *.yaml files of builtin, each
// compiled at first use, and of those in dir, compiled now; dir may be empty.
// More directories may be named that need not exist yet. The error is Problems
// when files of the directories are wrong; the catalogue is then returned all
// the same, without them.
func NewCatalogue(builtin fs.FS, dir string, later ...string) (*Catalogue, error) {
	c := &Catalogue{builtin: builtin, compiled: map[string]*Program{}, files: map[string]*dirFile{}, later: map[string]bool{}, away: map[string]bool{}}
	if builtin != nil {
		names, err := fs.Glob(builtin, "*.yaml")
		if err != nil {
			return nil, fmt.Errorf("list built-in crawlers: %w", err)
		}
		for _, n := range names {
			c.slugs = append(c.slugs, strings.TrimSuffix(n, ".yaml"))
		}
		slices.Sort(c.slugs)
	}
	if dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("crawlers directory %s: it is no readable directory", dir)
		}
		c.dirs = append(c.dirs, dir)
	}
	for _, d := range later {
		if d != "" && !slices.Contains(c.dirs, d) {
			c.dirs = append(c.dirs, d)
			c.later[d] = true
		}
	}
	if problems := c.refresh(); len(problems) > 0 {
		return c, problems
	}
	return c, nil
}

// Lookup returns a crawler by id, slug or lower-cased name;
// shoal.ErrCrawlerNotFound when there is none.
func (c *Catalogue) Lookup(idOrSlug string) (*Program, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logProblems(c.refresh())
	key := strings.ToLower(strings.TrimSpace(idOrSlug))
	for _, p := range c.fromDir() {
		if key == p.Info.Slug || key == string(p.Info.ID) || key == strings.ToLower(p.Info.Name) {
			return p, nil
		}
	}
	for _, slug := range c.slugs {
		if key == slug || key == string(ID(slug)) {
			return c.load(slug)
		}
	}
	for _, slug := range c.slugs {
		if !strings.Contains(slug, "-") {
			continue // its name is its slug
		}
		p, err := c.load(slug)
		if err != nil {
			return nil, err
		}
		if strings.ToLower(p.Info.Name) == key {
			return p, nil
		}
	}
	return nil, shoal.ErrCrawlerNotFound
}

// List returns every crawler, by slug.
func (c *Catalogue) List() ([]shoal.Crawler, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logProblems(c.refresh())
	var out []shoal.Crawler
	for _, p := range c.fromDir() {
		out = append(out, p.Info)
	}
	own := len(out)
	for _, slug := range c.slugs {
		if slices.ContainsFunc(out[:own], func(i shoal.Crawler) bool { return i.Slug == slug }) {
			continue
		}
		p, err := c.load(slug)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Info)
	}
	slices.SortFunc(out, func(a, b shoal.Crawler) int { return strings.Compare(a.Slug, b.Slug) })
	return out, nil
}

// LoadFile compiles the definition in the file at path; it does not enter the
// catalogue. The error is Problems when the definition is wrong.
func (c *Catalogue) LoadFile(path string) (*Program, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, shoal.NotFound(shoal.ErrCrawlerNotFound.Code, shoal.ErrCrawlerNotFound.Param, fmt.Sprintf("There is no file %s", path))
		}
		return nil, fmt.Errorf("read crawler: %w", err)
	}
	defer f.Close()
	return compileReader(path, f)
}

// FileOf returns the path of the directory's file that p was compiled from;
// empty when it is built in.
func (c *Catalogue) FileOf(p *Program) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for path, f := range c.files {
		if f.program != nil && f.program.Info.Digest == p.Info.Digest {
			return path
		}
	}
	return ""
}

func compileReader(name string, r io.Reader) (*Program, error) {
	src, err := io.ReadAll(io.LimitReader(r, maxDefinition+1))
	if err != nil {
		return nil, fmt.Errorf("read crawler %s: %w", name, err)
	}
	return Compile(name, src)
}

// load compiles a built-in crawler once.
func (c *Catalogue) load(slug string) (*Program, error) {
	if p := c.compiled[slug]; p != nil {
		return p, nil
	}
	name := slug + ".yaml"
	f, err := c.builtin.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read built-in crawler: %w", err)
	}
	defer f.Close()
	p, err := compileReader(name, f)
	if err != nil {
		return nil, err
	}
	if p.Info.Slug != slug {
		return nil, Problems{{File: name, Message: fmt.Sprintf("the slug is %q; it must be the file's name, %q", p.Info.Slug, slug)}}
	}
	c.compiled[slug] = p
	return p, nil
}

func (c *Catalogue) fromDir() []*Program {
	var out []*Program
	for _, f := range c.files {
		if f.program != nil {
			out = append(out, f.program)
		}
	}
	slices.SortFunc(out, func(a, b *Program) int { return strings.Compare(a.Info.Slug, b.Info.Slug) })
	return out
}

// refresh reads the directories' new and changed files and forgets deleted ones.
func (c *Catalogue) refresh() Problems {
	var problems Problems
	present := map[string]bool{}
	for _, dir := range c.dirs {
		problems = append(problems, c.refreshDir(dir, present)...)
	}
	for path := range c.files {
		if !present[path] {
			delete(c.files, path)
		}
	}
	problems = append(problems, c.checkTypes()...)
	return append(problems, c.dropTwins()...)
}

func (c *Catalogue) refreshDir(dir string, present map[string]bool) (problems Problems) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) && c.later[dir] {
		return nil
	}
	if err != nil {
		// What was read from it stays: a directory that is away for a moment
		// takes no crawler away.
		for path := range c.files {
			present[path] = present[path] || filepath.Dir(path) == filepath.Clean(dir)
		}
		if c.away[dir] {
			return nil
		}
		c.away[dir] = true
		return Problems{{File: dir, Message: "the crawlers directory cannot be read: " + err.Error()}}
	}
	c.away[dir] = false
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" && ext != ".json" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		present[path] = true
		problems = append(problems, c.refreshFile(path)...)
	}
	return problems
}

func (c *Catalogue) refreshFile(path string) Problems {
	info, err := os.Stat(path)
	if err != nil {
		return nil // deleted since it was listed
	}
	f := c.files[path]
	if f != nil && f.size == info.Size() && f.modified.Equal(info.ModTime()) {
		return nil
	}
	if f == nil {
		f = &dirFile{}
		c.files[path] = f
	}
	f.size, f.modified = info.Size(), info.ModTime()
	p, err := c.LoadFile(path)
	if err == nil {
		f.fresh, f.why = p, ""
		return nil
	}
	f.fresh = nil
	ps, ok := errors.AsType[Problems](err)
	if !ok {
		ps = Problems{{File: path, Message: err.Error()}}
	}
	if f.program != nil {
		f.program = f.program.troubled(slices.Clone(ps))
	}
	return ps
}

// troubled returns the program as one whose newer definition is wrong.
func (p *Program) troubled(ps Problems) *Program {
	last := *p
	ps[0].File = filepath.Base(ps[0].File) // where the operator keeps it is nobody else's business
	last.Info.HasIssues = true
	last.Info.Issue = "Its definition was changed and has mistakes, so that its last good version is used: " + ps[0].Error()
	return &last
}

// dropTwins refuses the second of two files with one slug, in the order of their names.
func (c *Catalogue) dropTwins() Problems {
	paths := make([]string, 0, len(c.files))
	for p := range c.files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	first := map[string]string{}
	var problems Problems
	for _, path := range paths {
		p := c.files[path].program
		if p == nil {
			continue
		}
		if other, dup := first[p.Info.Slug]; dup {
			problems = append(problems, Problem{File: path, Message: fmt.Sprintf("the slug %q is already that of %s; choose another", p.Info.Slug, other)})
			c.files[path].program = nil
			continue
		}
		first[p.Info.Slug] = path
	}
	return problems
}

func (c *Catalogue) logProblems(ps Problems) {
	log := c.Log
	if log == nil {
		log = slog.Default()
	}
	for _, p := range ps {
		log.Warn("crawler not loaded; its last good version stays", "problem", p.Error())
	}
}
