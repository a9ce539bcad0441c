package address

import "strings"

// maxReferences is how many different references of one page are looked at,
// and keptReferences for how many of them the memory is kept for the next page.
const (
	maxReferences  = 100_000
	keptReferences = 20_000
)

// References makes the references of one page absolute, each spelling once
// however often it occurs. It belongs to one goroutine at a time.
type References struct {
	*Resolver
	bySpelling map[string]int32
	list       []Reference
	beyond     Reference // what those past maxReferences get: no address
}

// A Reference is an address as a page says it.
type Reference struct {
	Absolute string // without fragment; "" when it is no address, or none of something to fetch
	Marks    uint64 // the caller's; 0 on a new page
	form     string // canonical
	known    bool   // form is worked out
}

// Reset forgets a page's references and resolves those of another by r.
func (l *References) Reset(r *Resolver) {
	l.Resolver = r
	l.list = l.list[:0]
	if len(l.bySpelling) > keptReferences {
		l.bySpelling, l.list = nil, nil // one huge page must not cost memory for ever
	}
	if l.bySpelling == nil {
		l.bySpelling = map[string]int32{}
	}
	clear(l.bySpelling)
}

// Release lets go of the page's spellings, which are views of its memory.
func (l *References) Release() { clear(l.bySpelling) }

// Get returns what a trimmed reference without fragment leads to. The string
// must hold, and the pointer is good, until the next call or reset.
func (l *References) Get(ref string) *Reference {
	if i, ok := l.bySpelling[ref]; ok {
		return &l.list[i]
	}
	if len(l.list) >= maxReferences {
		l.beyond = Reference{}
		return &l.beyond
	}
	var made Reference
	l.bySpelling[ref] = int32(len(l.list))
	if !Inert(ref) {
		made.Absolute, _ = l.Resolve(ref)
	}
	l.list = append(l.list, made)
	return &l.list[len(l.list)-1]
}

// Canonical is the reference's address in its canonical form; "" if it is none to fetch.
func (k *Reference) Canonical() string {
	if !k.known {
		k.known = true
		if k.Absolute != "" {
			k.form, _ = Canonical(k.Absolute)
		}
	}
	return k.form
}

// Inert reports whether a reference is a script or data, which are no addresses.
func Inert(ref string) bool {
	i := strings.IndexByte(ref, ':')
	if i < 4 || i > 10 {
		return false
	}
	switch strings.ToLower(ref[:i]) {
	case "javascript", "data", "blob", "about", "vbscript":
		return true
	}
	return false
}
