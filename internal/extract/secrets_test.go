package extract

import (
	"encoding/json"
	"strings"
	"testing"

	"shoal"
)

// What the first request says of itself, a key for example, is said to no other
// site because a page names it: not as the next page, and not as a refresh.
func TestHeadersStayWithTheSite(t *testing.T) {
	for _, c := range []struct {
		pages, body string
	}{
		{`{paginate: {next: {select: a, attr: href}}, rows: {each: li, key: a, fields: {a: {as: string}}}}`, `<li>1<a href="TO">next</a>`},
		{`{paginate: {cursor: {select: a, attr: href, url: "{{ raw(cursor) }}"}}, rows: {each: li, key: a, fields: {a: {as: string}}}}`, `<li>1<a href="TO">next</a>`},
		{`{follow: [{select: a, scope: any, page: p}], rows: {key: a, fields: {a: {select: title}}}}`, `<meta http-equiv=refresh content="0; url=TO">`},
	} {
		for to, kept := range map[string]bool{
			"https://example.com/b": true, "https://api.example.com/b": true,
			"https://example.net/b": false, "http://example.com/b": false, "https://example.com.evil.example/b": false,
		} {
			pl := pagesOf(t, "  p: "+c.pages+"\n", nil)
			task, req := start(t, pl, "https://example.com/a")
			extra, err := json.Marshal(shoal.RequestExtra{Header: map[string]string{"Authorization": "Bearer secret"}})
			if err != nil {
				t.Fatal(err)
			}
			req.Extra = extra
			o := read(t, pl, task, req, page(req.URL, strings.ReplaceAll(c.body, "TO", to)))
			if len(o.Found) != 1 {
				t.Errorf("%s to %s: %d requests, problem %q", c.pages, to, len(o.Found), o.Problem)
				continue
			}
			if got := strings.Contains(string(o.Found[0].Extra), "secret"); got != kept {
				t.Errorf("%s to %s: the header goes along: %v", c.pages, to, got)
			}
		}
	}
}
