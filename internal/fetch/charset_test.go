package fetch_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"shoal/internal/fetch"
)

const (
	russian   = "Новые правила вступят в силу с первого января следующего года."
	polish    = "Nowe przepisy wejdą w życie od pierwszego stycznia przyszłego roku, mówi źródło."
	german    = "Die neuen Regeln würden ab dem nächsten Jahr gültig, hieß es in Köln."
	japanese_ = "新しい規則が来年一月一日から施行されると発表した。"
	chinese   = "新的规定将于明年一月一日起生效。"
	taiwan    = "新的規定將於明年一月一日起生效。"
	koreans   = "새로운 규정이 내년 일월 일일부터 시행된다고 발표했다."
)

func in(t *testing.T, e encoding.Encoding, s string) string {
	t.Helper()
	out, err := e.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What a page says of its encoding, and where, and that it is wrong.
func TestCharsetsThatAreWrongMissingOrMixed(t *testing.T) {
	bare16le, bare16be := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	html := func(head, text string) string {
		return "<!doctype html><html><head>" + head + "<title>" + text + "</title></head><body><p>" + text + "</p></body></html>"
	}
	far := strings.Repeat("<link rel=stylesheet href=x.css>\n", 100)
	for _, c := range []struct {
		name, contentType, sent, want string
	}{
		{"Shift_JIS without a word", "text/html", in(t, japanese.ShiftJIS, html("", japanese_)), html("", japanese_)},
		{"EUC-JP without a word", "text/html", in(t, japanese.EUCJP, html("", japanese_)), html("", japanese_)},
		{"ISO-2022-JP without a word", "text/html", in(t, japanese.ISO2022JP, html("", japanese_)), html("", japanese_)},
		{"GBK without a word", "text/html", in(t, simplifiedchinese.GBK, html("", chinese)), html("", chinese)},
		{"Big5 without a word", "text/html", in(t, traditionalchinese.Big5, html("", taiwan)), html("", taiwan)},
		{"EUC-KR without a word", "text/html", in(t, korean.EUCKR, html("", koreans)), html("", koreans)},
		{"windows-1251 without a word", "text/csv", in(t, charmap.Windows1251, "имя;цена\n"+russian+";5\n"), "имя;цена\n" + russian + ";5\n"},
		{"KOI8-R without a word", "text/plain", in(t, charmap.KOI8R, russian), russian},
		{"windows-1250 without a word", "text/html", in(t, charmap.Windows1250, html("", polish)), html("", polish)},
		{"UTF-16LE without mark or word", "text/html", in(t, bare16le, html("", russian)), html("", russian)},
		{"UTF-16BE without mark or word", "application/xml", in(t, bare16be, "<?xml version='1.0'?><a>"+russian+"</a>"), "<?xml version='1.0'?><a>" + russian + "</a>"},
		{"UTF-16 that says it is UTF-8", "text/html; charset=utf-8", in(t, bare16le, html("", russian)), html("", russian)},
		{"JSON in UTF-16", "application/json", in(t, bare16le, `{"name": "`+russian+`"}`), `{"name": "` + russian + `"}`},
		{"JSON in windows-1251", "application/json", in(t, charmap.Windows1251, `{"name": "`+russian+`"}`), `{"name": "` + russian + `"}`},

		{"UTF-8 in the header, Shift_JIS in truth", "text/html; charset=utf-8", in(t, japanese.ShiftJIS, html("", japanese_)), html("", japanese_)},
		{"UTF-8 in the header, the truth in the meta", "text/html; charset=utf-8", in(t, simplifiedchinese.GBK, html(`<meta charset=gb2312>`, chinese)), html(`<meta charset=gb2312>`, chinese)},
		{"Latin-1 in the header, windows-1251 in truth", "text/html; charset=iso-8859-1", in(t, charmap.Windows1251, html("", russian)), html("", russian)},
		{"Latin-1 in the header, the truth in the meta", "text/html; charset=ISO-8859-1", in(t, japanese.EUCJP, html(`<meta charset=euc-jp>`, japanese_)), html(`<meta charset=euc-jp>`, japanese_)},
		{"GBK in the meta, Big5 in truth", "text/html", in(t, traditionalchinese.Big5, html(`<meta charset=gbk>`, taiwan+taiwan)), html(`<meta charset=gbk>`, taiwan+taiwan)},
		{"UTF-8 in the meta, windows-1252 in truth", "text/html", in(t, charmap.Windows1252, html(`<meta charset=utf-8>`, german)), html(`<meta charset=utf-8>`, german)},
		{"windows-1251 in the XML declaration, KOI8-R in truth", "text/xml", in(t, charmap.KOI8R, `<?xml version="1.0" encoding="windows-1251"?><a>`+russian+"</a>"), `<?xml version="1.0" encoding="windows-1251"?><a>` + russian + "</a>"},
		{"a wrong label on little text is believed", "text/html; charset=windows-1251", "<p>\xcf\xf0\xe8\xe2\xe5\xf2", "<p>Привет"},

		{"the charset twice", "text/html; charset=gbk; charset=gbk", in(t, simplifiedchinese.GBK, "中文"), "中文"},
		{"no semicolon", "text/html charset=koi8-r", in(t, charmap.KOI8R, "Привет"), "Привет"},
		{"single quotes", "text/html; charset='koi8-r'", in(t, charmap.KOI8R, "Привет"), "Привет"},
		{"a meta far down", "text/html", in(t, charmap.KOI8R, html(far+`<META CONTENT="text/html; charset=KOI8-R" http-equiv=Content-Type>`, "Привет")), html(far+`<META CONTENT="text/html; charset=KOI8-R" http-equiv=Content-Type>`, "Привет")},
		{"a meta in a comment does not count", "text/html", in(t, charmap.KOI8R, html(`<!-- <meta charset=shift_jis> --><meta charset=koi8-r>`, "Привет")), html(`<!-- <meta charset=shift_jis> --><meta charset=koi8-r>`, "Привет")},
		{"a meta that says UTF-16", "text/html", in(t, charmap.Windows1252, html(`<meta charset=utf-16>`, german)), html(`<meta charset=utf-16>`, german)},
		{"the page's language decides", "text/html", "<html lang=cs><p>za\xe8nou</p>", "<html lang=cs><p>začnou</p>"},
		{"characters of GB 18030 that GBK lacks", "text/html; charset=gb2312", in(t, simplifiedchinese.GB18030, "㐀中文😀"), "㐀中文😀"},
		{"a character cut off at the end", "text/html; charset=shift_jis", in(t, japanese.ShiftJIS, japanese_) + "\x82", japanese_ + "\ufffd"},

		{"UTF-8 with a word of Latin-1", "text/html; charset=utf-8", "<p>" + german + "</p><p>Caf\xe9 Cr\xe8me</p><p>" + german, "<p>" + german + "</p><p>Café Crème</p><p>" + german},
		{"UTF-8 with a quotation of Windows", "text/html", "<p>Grüße, " + german + "</p> \x93fine\x94 it\x92s", "<p>Grüße, " + german + "</p> “fine” it’s"},
		{"UTF-8 with a paragraph of windows-1251", "text/html", "<p>" + russian + "</p><p>" + in(t, charmap.Windows1251, "Цены выросли, сообщает агентство") + "</p><p>" + russian, "<p>" + russian + "</p><p>Цены выросли, сообщает агентство</p><p>" + russian},
		{"UTF-8 with a broken character", "text/html", "<p>" + japanese_ + "</p><p>日本\xe8\xaa</p>", "<p>" + japanese_ + "</p><p>日本\ufffd</p>"},
		{"only a sign of Latin-1", "text/html", "<p>\xa9 2024 Example Inc.</p>", "<p>© 2024 Example Inc.</p>"},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = []string{c.contentType}
			io.WriteString(w, c.sent)
		})
		if resp := get(t, newFetcher(t, quick), s.URL, fetch.Policy{}); string(resp.Body) != c.want {
			t.Errorf("%s: got %q, want %q", c.name, resp.Body, c.want)
		}
	}
}
