package extract

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/cascadia"
)

// A chain selects what cascadia selects.
func TestChainSameAsCascadia(t *testing.T) {
	names, classes := []string{"div", "p", "i", "b"}, []string{"x", "y", "z"}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	compound := func() string {
		switch random.IntN(5) {
		case 0:
			return "." + pick(classes)
		case 1:
			return pick(names) + "." + pick(classes)
		case 2:
			return pick(names) + ":not(." + pick(classes) + ")"
		case 3:
			return "*"
		}
		return pick(names)
	}
	var page strings.Builder
	var grow func(depth int)
	grow = func(depth int) {
		for range 1 + random.IntN(4) {
			name := pick(names[:1+random.IntN(len(names))])
			fmt.Fprintf(&page, `<%s class="%s">t`, name, pick(classes))
			if depth > 0 {
				grow(depth - 1)
			}
			fmt.Fprintf(&page, "</%s>", name)
		}
	}
	grow(5)
	doc := parseHTML([]byte(page.String()))
	chains := 0
	for range 300 {
		sel := compound()
		for range 2 + random.IntN(4) {
			sel += pick([]string{" ", " ", " > ", " ~ ", " + "}) + compound()
		}
		var s selectors
		id, err := s.add(sel, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, alts := range append(s.byTag[:], s.any) {
			for _, a := range alts {
				if a.far != nil {
					chains++
				}
			}
		}
		var m matches
		s.walk(doc, &m)
		want := cascadia.MustCompile(sel).MatchAll(doc)
		if len(m[id]) != len(want) {
			t.Fatalf("%s: %d elements, cascadia has %d", sel, len(m[id]), len(want))
		}
		for i := range want {
			if m[id][i] != want[i] {
				t.Fatalf("%s: element %d differs", sel, i)
			}
		}
	}
	if chains < 100 {
		t.Errorf("only %d of the selectors are chains", chains)
	}
}

// Selectors that would try every choice of ancestors or siblings end soon.
func TestSelectorBombs(t *testing.T) {
	deep := strings.Repeat("<div>", 300) + strings.Repeat("<i>x</i>", 1500)
	flat := strings.Repeat("<i>x</i><b>y</b>", 60_000)
	for sel, body := range map[string]string{
		"nosuch" + strings.Repeat(" div", 12) + " i":  deep,
		"nosuch > div" + strings.Repeat(" div", 12):   deep,
		"nosuch" + strings.Repeat(" ~ i", 8):          strings.Repeat("<i>x</i>", 1500),
		"nosuch ~ b":                                  flat,
		"b:nth-child(7n + 3)":                         flat,
		"div:has(nosuch i)":                           deep,
		"nosuch div:not(.a b) div:has(.nosuch) div i": deep,
	} {
		t.Run(sel, func(t *testing.T) {
			t.Parallel()
			pl := pagesOf(t, fmt.Sprintf("  p: {rows: {key: n, fields: {n: {select: %q, as: count}}}}\n", sel), nil)
			task, req := start(t, pl, "https://example.com/")
			begin := time.Now()
			o := read(t, pl, task, req, page(req.URL, body))
			if d := time.Since(begin); d > 3*maxWalk {
				t.Errorf("it took %v", d)
			}
			if len(o.Rows) != 1 {
				t.Errorf("%d rows, %s", len(o.Rows), o.Problem)
			}
		})
	}
}
