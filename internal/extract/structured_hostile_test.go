package extract

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"shoal/internal/dom"
)

// TestStructuredBombs reads data that is made to grow: what comes out is
// bounded, JSON, and there in time.
func TestStructuredBombs(t *testing.T) {
	var shared strings.Builder
	for level := range 30 {
		for side := range 2 {
			fmt.Fprintf(&shared, `<div id="i%d_%d" itemprop="p%d" itemscope itemref="i%d_0 i%d_1 i%d_0"></div>`, level, side, side, level+1, level+1, level+1)
		}
	}
	script := func(body string) string { return `<script type="application/ld+json">` + body + `</script>` }
	begin := time.Now()
	for name, body := range map[string]string{
		"shared items":    shared.String(),
		"loop of itemref": `<div id=a itemprop=x itemscope itemref=b></div><div id=b itemprop=y itemscope itemref=a></div>`,
		"nested items":    strings.Repeat(`<div itemscope itemprop=x>`, 5000) + "deep",
		"many properties": `<div itemscope>` + strings.Repeat(`<b itemprop=x>v</b>`, 100_000),
		"nested objects":  script(strings.Repeat(`{"@type":"A","x":`, 3000) + "1" + strings.Repeat("}", 3000)),
		"wide and nested": script(strings.Repeat(`{"@type":"A","y":"`+strings.Repeat("y", 100_000)+`","x":`, 39) + "1" + strings.Repeat("}", 39)),
		"open brackets":   script(strings.Repeat("[", 1_000_000)),
		"many documents":  script(strings.Repeat(`{"@type":"A"};`, 50_000)),
		"many tags":       strings.Repeat(`<meta property="og:a:b" content="x">`, 50_000),
		"quotes":          script(`{"@type":"` + strings.Repeat(`\"'`, 200_000)),
	} {
		root := parseHTML(&dom.Document{}, []byte(body))
		size := 0
		for _, b := range append(append(jsonLD(root, 1000), microdata(root, func(s string) string { return s }, 1000)...), openGraph(root)) {
			if size += len(b); len(b) > 0 && !json.Valid(b) {
				t.Errorf("%s: no JSON: %.100s", name, b)
			}
		}
		if size > maxLDBytes+maxMicroBytes {
			t.Errorf("%s: %d MB of items", name, size>>20)
		}
	}
	text := strings.Repeat("state = {", 100_000)
	if b, ok := scriptJSON(text, regexp.MustCompile(`state`)); ok {
		t.Errorf("a script without end gave %.100s", b)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

// FuzzStructured reads any markup: what comes out is JSON.
func FuzzStructured(f *testing.F) {
	for _, s := range []string{`<script type="application/ld+json">{"@graph":[{"@type":"A",'b':[1,],}]}</script>`, `<div itemscope itemtype="https://schema.org/Product" itemref="x"><b itemprop="name">n</b></div><i id=x itemprop=y>z</i>`,
		`<meta property="og:image" content="a"><meta property="og:image:width" content="1">`, `<script>var x = JSON.parse("{\"a\":1}")</script>`} {
		f.Add(s)
	}
	match := regexp.MustCompile(`=|x`)
	f.Fuzz(func(t *testing.T, body string) {
		root := parseHTML(&dom.Document{}, []byte(body))
		list := append(append(jsonLD(root, 50), microdata(root, func(s string) string { return s }, 50)...), openGraph(root))
		if b, ok := scriptJSON(body, match); ok {
			list = append(list, b)
		}
		for _, b := range list {
			if len(b) > 0 && !json.Valid(b) {
				t.Errorf("no JSON: %q", b)
			}
		}
	})
}
