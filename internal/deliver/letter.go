package deliver

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"

	"shoal"
)

// letter is the content of a mail.
type letter struct {
	Title    string
	Sentence string
	Facts    []letterFact
	Link     string
	Note     string
}

type letterFact struct{ Name, Value string }

// letter puts a delivery into words.
func (e *email) letter(d *shoal.Delivery) letter {
	n := tell(d)
	l := letter{Title: n.title, Sentence: n.sentence, Link: e.link.of(d)}
	for _, f := range n.facts {
		l.Facts = append(l.Facts, letterFact{f.name, f.value})
	}
	return l
}

// page is the HTML of a mail: one column, no pictures, styles inline, as mail
// programs want it; those that know media queries show it dark to who wants
// that. Long words break: names and addresses are a stranger's.
var page = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{{.Title}}</title>
<style>
@media (prefers-color-scheme: dark) {
body { background: #14181d !important; color: #e4e8ee !important }
.card { background: #1e242c !important }
.name, .foot { color: #a0aab6 !important }
.button { background: #3b82e0 !important }
}
@media (max-width: 480px) {
body { padding: 0 !important }
.card { padding: 20px !important; border-radius: 0 !important }
}
</style></head>
<body style="margin:0;padding:24px;background:#f4f5f7;font:15px/1.5 -apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif;color:#1c2430">
<div class="card" style="max-width:560px;margin:0 auto;background:#fff;border-radius:8px;padding:28px;overflow-wrap:anywhere;word-break:break-word">
<h1 style="margin:0 0 12px;font-size:20px;line-height:1.3">{{.Title}}</h1>
{{with .Sentence}}<p style="margin:0 0 16px">{{.}}</p>
{{end}}{{if .Facts}}<table role="presentation" style="border-collapse:collapse;margin:0 0 16px">
{{range .Facts}}<tr><td class="name" style="padding:3px 20px 3px 0;color:#5c6672;vertical-align:top;overflow-wrap:normal;word-break:normal">{{.Name}}</td><td style="padding:3px 0;vertical-align:top">{{.Value}}</td></tr>
{{end}}</table>
{{end}}{{with .Link}}<p style="margin:0 0 16px"><a class="button" href="{{.}}" style="display:inline-block;background:#0b63ce;color:#fff;text-decoration:none;border-radius:6px;padding:9px 16px">Download the results (CSV)</a></p>
{{end}}{{with .Note}}<p style="margin:0 0 16px">{{.}}</p>
{{end}}<p class="foot" style="margin:0;color:#6b7582;font-size:13px">Sent by Shoal. The squid's deliveries say who gets this.</p>
</div></body></html>
`))

// write returns the mail's text and HTML.
func (l letter) write() (text, html string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", l.Title)
	if l.Sentence != "" {
		fmt.Fprintf(&b, "%s\n\n", l.Sentence)
	}
	for _, f := range l.Facts {
		fmt.Fprintf(&b, "%-20s %s\n", f.Name+":", f.Value)
	}
	if l.Link != "" {
		fmt.Fprintf(&b, "\nDownload the results (CSV):\n%s\n", l.Link)
	}
	if l.Note != "" {
		fmt.Fprintf(&b, "\n%s\n", l.Note)
	}
	b.WriteString("\n-- \nSent by Shoal. The squid's deliveries say who gets this.\n")
	var h bytes.Buffer
	if err := page.Execute(&h, l); err != nil {
		return "", "", fmt.Errorf("write the mail: %w", err)
	}
	return b.String(), h.String(), nil
}
