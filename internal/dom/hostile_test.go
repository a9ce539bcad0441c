package dom

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostile are pages that make a careless parser slow, deep or large; each
// grows with n.
var hostile = map[string]func(n int) string{
	"deep":               func(n int) string { return strings.Repeat("<div>", n) + "x" + strings.Repeat("</div>", n) },
	"deep unclosed":      func(n int) string { return strings.Repeat("<span><div>", n) + "x" },
	"deep foreign":       func(n int) string { return "<svg>" + strings.Repeat("<g>", n) + "<title>x" },
	"deep templates":     func(n int) string { return strings.Repeat("<template>", n) + "<td>" },
	"deep tables":        func(n int) string { return strings.Repeat("<table><tr><td>", n) + "x" },
	"deep framesets":     func(n int) string { return strings.Repeat("<frameset>", n) + "<frame>" },
	"deep raw text":      func(n int) string { return "<svg>" + strings.Repeat("<g>", 600) + strings.Repeat("<style>", n) },
	"end tags":           func(n int) string { return strings.Repeat("<i>", 500) + strings.Repeat("</x></p></li></h1>", n) },
	"formatting":         func(n int) string { return many(n, "<b id=%d>") + "x" },
	"formatting, closed": func(n int) string { return "<p>" + many(n, "<b id=%d>") + "</p>" + strings.Repeat("<p>x", n) },
	"formatting, texts":  func(n int) string { return "<p>" + many(n, "<b id=%d>") + "</p>" + strings.Repeat("x</q>", n) },
	"formatting at the bottom": func(n int) string {
		return "<p>" + many(600, "<b id=%d>") + "</p>" + strings.Repeat("<div>", 508) + strings.Repeat("x</b>", n)
	},
	"adoption": func(n int) string { return strings.Repeat("<a><div>", n) + strings.Repeat("</a>", n) },
	"adoption of children": func(n int) string {
		return "<b><div>" + strings.Repeat("<i>x</i>", n) + strings.Repeat("</b><b>", n)
	},
	"nobr":           func(n int) string { return strings.Repeat("<nobr><p>", n) },
	"markers":        func(n int) string { return "<table><tr>" + strings.Repeat("<td><applet></td>", n) },
	"attributes":     func(n int) string { return "<p " + many(n, "a%d=x ") + ">" },
	"same attribute": func(n int) string { return "<p " + strings.Repeat("a ", n) + ">" },
	"many html tags": func(n int) string { return many(n, "<html a%d>") },
	"body after body": func(n int) string {
		return strings.Repeat("<body class=x></body><!-- -->", n) + strings.Repeat("</html>x", n)
	},
	"names":             func(n int) string { return many(n, "<x%d>") },
	"upper-case names":  func(n int) string { return many(n, "<X%d Y%[1]d></X%[1]d>") },
	"references":        func(n int) string { return strings.Repeat("&NotEqualTilde;&CounterClockwiseContourIntegra;", n) },
	"bare ampersands":   func(n int) string { return strings.Repeat("&&", n) },
	"long number":       func(n int) string { return "&#" + strings.Repeat("9", n) },
	"NULs":              func(n int) string { return strings.Repeat("\x00", n) + "<p \x00=\x00>" + strings.Repeat("\x00x", n) },
	"carriage returns":  func(n int) string { return strings.Repeat("\r", n) },
	"invalid UTF-8":     func(n int) string { return strings.Repeat("\xff\xe2\x82", n) },
	"text in pieces":    func(n int) string { return strings.Repeat("a</x>", n) },
	"text by turns":     func(n int) string { return "<table>" + strings.Repeat("a</x> </x>", n) },
	"references alone":  func(n int) string { return strings.Repeat("&lt;</x>", n) },
	"fostered":          func(n int) string { return "<table>" + strings.Repeat("<b>x</b><tr>", n) },
	"comments":          func(n int) string { return strings.Repeat("<!--", n) },
	"dashes":            func(n int) string { return "<!--" + strings.Repeat("--!", n) },
	"scripts":           func(n int) string { return "<script>" + strings.Repeat("<!--<script></script>", n) },
	"titles":            func(n int) string { return "<title>" + strings.Repeat("</titl", n) },
	"quotes":            func(n int) string { return strings.Repeat(`<a b="`, n) },
	"options":           func(n int) string { return "<select>" + strings.Repeat("<option><optgroup><hr>", n) },
	"ruby":              func(n int) string { return strings.Repeat("<ruby><rtc><rp>", n) },
	"lists":             func(n int) string { return strings.Repeat("<li><i>", n) },
	"declarations":      func(n int) string { return strings.Repeat("<!", n) },
	"cdata":             func(n int) string { return "<svg>" + strings.Repeat("<![CDATA[", n) },
	"doctype":           func(n int) string { return "<!doctype html public '" + strings.Repeat("x", n) },
	"in the head again": func(n int) string { return "<head></head>" + strings.Repeat("<meta>x<title>", n) },
	"forms":             func(n int) string { return strings.Repeat("<form><div></form>", n) },
	"buttons":           func(n int) string { return strings.Repeat("<p><button>", n) },
}

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestHostile holds the work to the length of the input: a page eight times as
// long takes less than thirty-two times the processor's time (eight would be
// exact, sixty-four would be quadratic), and none takes four seconds per
// megabyte, also with the race detector. What else the machine does disturbs a
// measurement, never all of them. Memory is held to it by counting nodes and arena.
func TestHostile(t *testing.T) {
	for name, page := range hostile {
		t.Run(name, func(t *testing.T) {
			short, long := []byte(page(4_000)), []byte(page(32_000))
			var d Document
			var before, after time.Duration
			linear := false
			for attempt := 0; attempt < 10 && !linear; attempt++ {
				before, after = parseTime(t, &d, short), parseTime(t, &d, long)
				linear = after < 5*time.Millisecond || float64(after) < 4*float64(before)*float64(len(long))/float64(len(short))
				linear = linear && after < max(4*time.Second*time.Duration(len(long))/(1<<20), 100*time.Millisecond)
			}
			if !linear {
				t.Errorf("%d bytes take %v, %d bytes %v", len(short), before, len(long), after)
			}
			if err := d.check(); err != nil {
				t.Error(err)
			}
			if most := 2*len(long) + 20_000; d.Len() > most || len(d.arena) > 8*most {
				t.Errorf("%d bytes make %d nodes and %d bytes of text", len(long), d.Len(), len(d.arena))
			}
		})
	}
}

// parseTime is the processor's time that a page takes, the best of three.
func parseTime(t *testing.T, d *Document, page []byte) time.Duration {
	best := time.Hour
	for range 3 {
		start := processorTime(t)
		if err := d.Parse(page, Options{}); err != nil {
			t.Fatal(err)
		}
		best = min(best, processorTime(t)-start)
	}
	return best
}

// processorTime is what the process has had of the processor so far.
func processorTime(t *testing.T) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestTruncated(t *testing.T) {
	for name, c := range map[string]struct {
		page string
		opts Options
		want Truncation
	}{
		"nothing":    {"<p>x", Options{}, ""},
		"depth":      {strings.Repeat("<i>", 600) + "x", Options{}, TruncatedDepth},
		"not deep":   {strings.Repeat("<div>", 500) + "x", Options{}, ""},
		"nodes":      {strings.Repeat("<p>x", 600), Options{MaxNodes: 100}, TruncatedNodes},
		"formatting": {"<p>" + many(600, "<b id=%d></p><p>"), Options{}, TruncatedFormatting},
	} {
		d, err := Parse([]byte(c.page), c.opts)
		if err != nil || d.Truncated != c.want {
			t.Errorf("%s: truncated %q, %v; want %q", name, d.Truncated, err, c.want)
		}
		if c.opts.MaxNodes > 0 && d.Len() > c.opts.MaxNodes+16 {
			t.Errorf("%s: %d nodes", name, d.Len())
		}
	}
	if _, err := Parse(nil, Options{MaxNodes: -1}); err == nil {
		t.Error("MaxNodes below 0 is accepted")
	}
	if _, err := Parse(nil, Options{Context: "xml a"}); err == nil {
		t.Error("a context in an unknown namespace is accepted")
	}
}

// TestTooDeep: what lies too deep is all there, in order, and what follows is
// where it belongs.
func TestTooDeep(t *testing.T) {
	page := strings.Repeat("<div>", 1000) + "a<p>b</p><table><tr><td>c</table>" + strings.Repeat("</div>", 1000) + "<em>d</em>"
	d, err := Parse([]byte(page), Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, depth := "", 0
	for n := Root; n < NodeID(d.Len()); n++ {
		text += d.Data(n)
		depth = max(depth, d.dumpDepth(n, None))
	}
	if text != "abcd" {
		t.Errorf("text is %q", text)
	}
	if depth > maxDepth+4 {
		t.Errorf("%d deep", depth)
	}
	last := NodeID(d.Len() - 1)
	for d.Type(last) != ElementNode {
		last--
	}
	if got := d.NameOf(d.Name(d.Parent(last))); got != "body" {
		t.Errorf("what follows the deep elements is in <%s>, want in body", got)
	}
}
