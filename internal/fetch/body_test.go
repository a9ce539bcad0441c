package fetch_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"shoal/internal/fetch"
)

func pack(b []byte, open func(io.Writer) io.WriteCloser) []byte {
	var out bytes.Buffer
	w := open(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func gzipped(b []byte) []byte {
	return pack(b, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

var packers = map[string]func(io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"raw":     func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 6); return z },
	"zstd":    func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
}

func TestEncodings(t *testing.T) {
	long := bytes.Repeat([]byte("<p>the quick brown shoal, 0123456789</p>\n"), 8_000) // 300 KB
	asked := ""
	var label string
	var body []byte
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", label)
		w.Write(body)
	})
	f := newFetcher(t, quick)
	for _, c := range []struct {
		name, label string
		sent, want  []byte
	}{
		{"gzip", "gzip", pack(long, packers["gzip"]), long},
		{"x-gzip", "X-GZip", pack(long, packers["gzip"]), long},
		{"brotli", "br", pack(long, packers["br"]), long},
		{"zstd", "zstd", pack(long, packers["zstd"]), long},
		{"deflate in zlib", "deflate", pack(long, packers["deflate"]), long},
		{"deflate bare", "deflate", pack(long, packers["raw"]), long},
		{"two over another", "gzip, br", pack(pack(long, packers["gzip"]), packers["br"]), long},
		{"two members", "gzip", append(gzipped(long), gzipped([]byte("tail"))...), append(bytes.Clone(long), "tail"...)},
		{"rubbish after gzip", "gzip", append(gzipped(long), "rubbish"...), long},
		{"none", "", long, long},
		{"identity", "identity", long, long},
		{"a label that is a charset", "utf-8", long, long},
		{"gzip that is plain", "gzip", long, long},
		{"zstd that is plain", "zstd", long, long},
		{"gzip of nothing", "gzip", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			label, body = c.label, c.sent
			for range 2 { // the second time with used decoders
				resp := get(t, f, s.URL, fetch.Policy{})
				if !bytes.Equal(resp.Body, c.want) {
					t.Fatalf("got %d bytes, want %d", len(resp.Body), len(c.want))
				}
				if resp.WireBytes != int64(len(c.sent)) {
					t.Errorf("%d bytes on the wire, want %d", resp.WireBytes, len(c.sent))
				}
				resp.Release()
			}
		})
	}
	if asked != "gzip, br, zstd" {
		t.Errorf("Accept-Encoding is %q", asked)
	}
}

func TestEveryEncodingHasItsBombDefused(t *testing.T) {
	zeros := make([]byte, 4<<20)
	var label string
	var body []byte
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", label)
		w.Write(body)
	})
	f := newFetcher(t, quick)
	for name, open := range packers {
		label, body = strings.Replace(name, "raw", "deflate", 1), pack(zeros, open)
		refuse(t, f, fetch.Request{URL: s.URL}, fetch.Policy{MaxBytes: 64 << 10}, fetch.FailTooLarge)
		if resp := get(t, f, s.URL, fetch.Policy{MaxBytes: 4 << 20}); len(resp.Body) != len(zeros) {
			t.Errorf("%s: %d bytes, want all", name, len(resp.Body))
		}
	}
	label, body = "", gzipped(zeros)
	refuse(t, f, fetch.Request{URL: s.URL + "/sitemap.xml.gz"}, fetch.Policy{MaxBytes: 64 << 10}, fetch.FailTooLarge)
}

func TestCharsets(t *testing.T) {
	const text = "Grüße aus Köln, naïve café — 日本語"
	const latin = "Grüße aus Köln, naïve café"
	enc := func(e encoding.Encoding, s string) string {
		out, err := e.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var contentType, body string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{contentType}
		io.WriteString(w, body)
	})
	f := newFetcher(t, quick)
	le := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	for _, c := range []struct{ name, contentType, sent, want string }{
		{"utf-8", "text/html; charset=utf-8", text, text},
		{"utf-8 by default", "text/html", text, text},
		{"a wrong label over utf-8", "text/html; charset=iso-8859-1", text, text},
		{"a wrong Chinese label over utf-8", "text/html; charset=gbk", text, text},
		{"a wrong meta over utf-8", "text/html", `<meta charset="windows-1251">` + text, `<meta charset="windows-1251">` + text},
		{"an unknown label", "text/html; charset=klingon", text, text},
		{"the mark is taken off", "text/html", "\ufeff" + text, text},
		{"latin by header", "text/html; charset=ISO-8859-1", enc(charmap.Windows1252, latin), latin},
		{"quoted label", `text/html; charset="iso-8859-15"`, enc(charmap.ISO8859_15, latin+" €"), latin + " €"},
		{"latin by nothing", "text/html", enc(charmap.Windows1252, latin+" €"), latin + " €"},
		{"latin far beyond the first bytes", "text/html", strings.Repeat("x", 5000) + enc(charmap.Windows1252, latin), strings.Repeat("x", 5000) + latin},
		{"cyrillic by meta", "text/html", enc(charmap.Windows1251, `<meta charset="windows-1251">Привет`), `<meta charset="windows-1251">Привет`},
		{"cyrillic by old meta", "text/html", enc(charmap.KOI8R, `<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">Привет`), `<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">Привет`},
		{"japanese by header", "text/html; charset=Shift_JIS", enc(japanese.ShiftJIS, "日本語テキスト"), "日本語テキスト"},
		{"japanese in seven bits", "text/html; charset=iso-2022-jp", enc(japanese.ISO2022JP, "日本語テキスト"), "日本語テキスト"},
		{"chinese by header", "text/plain; charset=gb2312", enc(simplifiedchinese.GBK, "简体中文"), "简体中文"},
		{"utf-16 by its mark", "text/html", enc(le, text), text},
		{"utf-16 by header without mark", "text/html; charset=utf-16le", enc(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "plain ascii"), "plain ascii"},
		{"xml declaration", "application/xml", enc(charmap.ISO8859_1, `<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>`), `<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>`},
		{"one broken byte in utf-8", "text/html; charset=utf-8", text + "\xff", text + "\ufffd"},
		{"one broken byte in much utf-8 with a wrong label", "text/html; charset=iso-8859-1", strings.Repeat(text, 5) + "\xff", strings.Repeat(text, 5) + "\ufffd"},
		{"json is utf-8", "application/json", `{"a":"é` + "\xff" + `"}`, `{"a":"é` + "\ufffd" + `"}`},
		{"a zero in utf-8", "text/html", "a\x00é", "a\x00é"},
		{"bytes that are no text", "image/png", "\x89PNG\xff\xfe", "\x89PNG\xff\xfe"},
	} {
		contentType, body = c.contentType, c.sent
		if resp := get(t, f, s.URL, fetch.Policy{}); string(resp.Body) != c.want {
			t.Errorf("%s: got %q, want %q", c.name, resp.Body, c.want)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	var contentType []string
	var body string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = contentType // nil keeps net/http from guessing
		io.WriteString(w, body)
	})
	f := newFetcher(t, quick)
	for _, c := range []struct{ sent, body, want string }{
		{"Text/HTML; Charset=utf-8", "x", "text/html"},
		{" application/ld+json ;x", "{}", "application/ld+json"},
		{"", "<!DOCTYPE html><p>", "text/html"},
		{"", "\n  <html><p>", "text/html"},
		{"", `{"a": 1}`, "application/json"},
		{"", `[{"a": 1}]`, "application/json"},
		{"", `<?xml version="1.0"?><urlset>`, "text/xml"},
		{"", `<?xml version="1.0"?><html xmlns="x">`, "application/xhtml+xml"},
		{"", "\x89PNG\x0d\x0a\x1a\x0a", "image/png"},
		{"", "just words", "text/plain"},
		{"html", "<!DOCTYPE html><p>", "text/html"},
		{"/", "<!DOCTYPE html><p>", "text/html"},
	} {
		contentType, body = []string{c.sent}, c.body
		if c.sent == "" {
			contentType = nil
		}
		if resp := get(t, f, s.URL, fetch.Policy{}); resp.MediaType != c.want {
			t.Errorf("type %q, body %q: got %q, want %q", c.sent, c.body, resp.MediaType, c.want)
		}
	}
}

func TestZippedSitemapIsUnpacked(t *testing.T) {
	const sitemap = `<?xml version="1.0"?><urlset></urlset>`
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-gzip")
		w.Write(gzipped([]byte(sitemap)))
	})
	f := newFetcher(t, quick)
	resp := get(t, f, s.URL+"/sitemap.xml.gz", fetch.Policy{})
	if string(resp.Body) != sitemap || resp.MediaType != "text/xml" {
		t.Errorf("got %s %q", resp.MediaType, resp.Body)
	}
	if resp = get(t, f, s.URL+"/archive.gz", fetch.Policy{}); !bytes.Equal(resp.Body, gzipped([]byte(sitemap))) {
		t.Error("an archive was unpacked")
	}
}

func TestReleasedBodiesDoNotMix(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscanf(r.URL.Path, "/%d", &n)
		io.WriteString(w, strings.Repeat(fmt.Sprintf("%07d\n", n), 10+n*37%9000))
	})
	f := newFetcher(t, quick)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 60 {
				n := worker*1000 + i
				resp, err := f.Do(t.Context(), fetch.Request{URL: fmt.Sprint(s.URL, "/", n)}, fetch.Policy{})
				if err != nil {
					t.Error(err)
					return
				}
				if want := strings.Repeat(fmt.Sprintf("%07d\n", n), 10+n*37%9000); string(resp.Body) != want {
					t.Errorf("page %d holds something else", n)
				}
				resp.Release()
				resp.Release()
			}
		})
	}
	all.Wait()
}
