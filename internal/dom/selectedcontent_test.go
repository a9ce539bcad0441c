package dom

import (
	"strings"
	"testing"
)

// What a select shows is what its selected option holds, once the page is read.
func TestSelectedContent(t *testing.T) {
	const shown = "<button><selectedcontent></selectedcontent></button>"
	for page, want := range map[string]string{
		"<select>" + shown + "<option>a</option><option>b</option></select>":                         "a",
		"<select><option>a<b>b</b></option>" + shown + "<option>c</option></select>":                 "a<b>b</b>",
		"<select>" + shown + "<option selected>a</option><option selected>b</option></select>":       "b",
		"<select>" + shown + "<option disabled>a</option><option>b</option></select>":                "b",
		"<select>" + shown + "<optgroup disabled><option>a</option></optgroup><option>b</select>":    "b",
		"<select>" + shown + "<option selected disabled>a</option><option>b</select>":                "a",
		"<select multiple>" + shown + "<option selected>a</select>":                                  "",
		"<select size=2>" + shown + "<option>a</select>":                                             "",
		"<select size=2>" + shown + "<option selected>a</select>":                                    "a",
		"<select><button><selectedcontent>old<i>x</i></selectedcontent></button><option>a</select>":  "a",
		"<select>" + shown + "</select>":                                                             "",
		"<select>" + shown + "<option></option><option>b</select>":                                   "",
		"<select><option>a<selectedcontent>own</selectedcontent></option></select>":                  "own",
		"<selectedcontent>alone</selectedcontent>":                                                   "alone",
		"<table><b><select>" + shown + "<option>a<i>b</select></table>":                              "a<i>b</i>",
		"<select>" + shown + "<template><option>a</option></template><option>b</option></select><i>": "b",
	} {
		d, err := Parse([]byte(page), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.check(); err != nil {
			t.Errorf("%s: %v", page, err)
		}
		_, html, _ := strings.Cut(string(d.AppendOuterHTML(nil, Root)), "<selectedcontent>")
		if got, _, _ := strings.Cut(html, "</selectedcontent>"); got != want {
			t.Errorf("%s shows %q, want %q", page, got, want)
		}
	}
}

// The copies count as nodes.
func TestSelectedContentBounded(t *testing.T) {
	page := strings.Repeat("<select><button><selectedcontent></button><option>"+strings.Repeat("<i>x</i>", 100)+"</select>", 10)
	d, err := Parse([]byte(page), Options{MaxNodes: 2500})
	if err != nil || d.Truncated != TruncatedNodes || d.Len() > 2500 {
		t.Errorf("%d nodes, truncated %q, %v; want 2500 at most", d.Len(), d.Truncated, err)
	}
}
