package dom

import (
	"testing"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// benchSelectors are those of realSelectors that cascadia knows.
func benchSelectors() (list []string) {
	for _, s := range realSelectors {
		if _, err := cascadia.ParseGroup(s); err == nil {
			list = append(list, s)
		}
	}
	return list
}

func benchPages(b *testing.B) (list []*pairs) {
	for _, body := range pages(b, 12) {
		list = append(list, parsePairs(b, body))
	}
	return list
}

// BenchmarkSelectors finds each of the real selectors on each page, one after
// the other; BenchmarkSelectorSet all of a page in one pass.
func BenchmarkSelectors(b *testing.B) {
	list := benchPages(b)
	var sets []*Set
	for _, source := range benchSelectors() {
		set, err := Compile(source)
		if err != nil {
			b.Fatal(err)
		}
		sets = append(sets, set)
	}
	var f Finder
	var m Matches
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range list {
			f.Reset(p.doc)
			for _, set := range sets {
				f.Find(set, Root, &m)
			}
		}
	}
}

func BenchmarkSelectorSet(b *testing.B) {
	list := benchPages(b)
	set := &Set{}
	for _, source := range benchSelectors() {
		if _, err := set.Add(source, true); err != nil {
			b.Fatal(err)
		}
	}
	var f Finder
	var m Matches
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range list {
			f.Reset(p.doc)
			f.Find(set, Root, &m)
		}
	}
}

func BenchmarkSelectorsCascadia(b *testing.B) {
	list := benchPages(b)
	var sels []cascadia.SelectorGroup
	for _, source := range benchSelectors() {
		sel, err := cascadia.ParseGroup(source)
		if err != nil {
			b.Fatal(err)
		}
		sels = append(sels, sel)
	}
	b.ReportAllocs()
	total := 0
	for b.Loop() {
		for _, p := range list {
			for _, sel := range sels {
				total += len(cascadia.QueryAll(p.root, sel))
			}
		}
	}
	_ = total
}

// BenchmarkEachSelector tells which selectors gain how much.
func BenchmarkEachSelector(b *testing.B) {
	list := benchPages(b)
	for _, source := range benchSelectors() {
		set, err := Compile(source)
		if err != nil {
			b.Fatal(err)
		}
		sel := cascadia.MustCompile(source)
		b.Run("ours/"+source, func(b *testing.B) {
			var f Finder
			var m Matches
			for b.Loop() {
				for _, p := range list {
					f.Reset(p.doc)
					f.Find(set, Root, &m)
				}
			}
		})
		b.Run("cascadia/"+source, func(b *testing.B) {
			var found []*html.Node
			for b.Loop() {
				for _, p := range list {
					found = cascadia.QueryAll(p.root, sel)
				}
			}
			_ = found
		})
	}
}
