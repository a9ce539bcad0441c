package dom

import (
	"strings"
	"testing"
)

// TestSteadyState: page after page allocates nothing.
func TestSteadyState(t *testing.T) {
	pages := recorded(t)
	var d Document
	parse := func() {
		for _, page := range pages {
			if err := d.Parse([]byte(page), Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	bytes := make([][]byte, len(pages))
	for i := range pages {
		bytes[i] = []byte(pages[i])
	}
	parse()
	got := testing.AllocsPerRun(3, func() {
		for _, page := range bytes {
			if err := d.Parse(page, Options{}); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got > 0 {
		t.Errorf("%v allocations for %d pages, want none", got, len(pages))
	}
}

// TestReset: a huge page's memory is not kept, that of others is, and nothing
// of a page is left for the next one.
func TestReset(t *testing.T) {
	var d Document
	read := func(page string) {
		if err := d.Parse([]byte(page), Options{}); err != nil {
			t.Fatal(err)
		}
	}
	read(strings.Repeat("<p>x", keptNodes))
	large := []byte(strings.Repeat("<p>x", keptNodes))
	again := testing.AllocsPerRun(1, func() {
		if err := d.Parse(large, Options{}); err != nil {
			t.Fatal(err)
		}
	})
	if again > 0 {
		t.Errorf("a huge page after another makes %v allocations, want none", again)
	}
	d.Reset()
	if cap(d.nodes) > 0 || d.parser != nil {
		t.Errorf("room for %d nodes is kept of a huge page", cap(d.nodes))
	}
	read("<x-a b-c=1>&amp;")
	d.Reset()
	if cap(d.nodes) == 0 || d.parser == nil {
		t.Error("nothing is kept of a small page")
	}
	read("<p>y")
	if d.Lookup("x-a") != 0 || d.Lookup("b-c") != 0 || !strings.Contains(d.Dump(Root), "\"y\"") {
		t.Errorf("of the former page are left: %s", d.Dump(Root))
	}
}
