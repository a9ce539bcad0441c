package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
)

// row is a page in a peer's output.
type row struct {
	URL        string   `json:"url"`
	Title      string   `json:"title"`
	H1         []string `json:"h1"`
	Links      []string `json:"links"`
	TextLength int      `json:"text_length"`
}

// difference is how a peer's output departs from the floor's.
type difference struct {
	missing, extra          []string // pages
	repeated                []string // pages with more than one row
	titles, h1, links, text []string // pages whose field differs, with both values
}

func (d difference) none() bool {
	return len(d.missing)+len(d.extra)+len(d.repeated)+len(d.titles)+len(d.h1)+len(d.links)+len(d.text) == 0
}

func compareAll(peers []peer) (map[string]difference, error) {
	floor, _, err := readOutput(peers[0].output)
	if err != nil {
		return nil, err
	}
	differences := map[string]difference{}
	for _, p := range peers[1:] {
		rows, repeated, err := readOutput(p.output)
		if err != nil {
			return nil, err
		}
		d := compare(floor, rows)
		d.repeated = repeated
		differences[p.name] = d
	}
	return differences, nil
}

func compare(floor, other map[string]row) difference {
	var d difference
	for at, want := range floor {
		got, ok := other[at]
		if !ok {
			d.missing = append(d.missing, at)
			continue
		}
		if got.Title != want.Title {
			d.titles = append(d.titles, fmt.Sprintf("%s: %q, floor %q", at, got.Title, want.Title))
		}
		if !slices.Equal(got.H1, want.H1) {
			d.h1 = append(d.h1, fmt.Sprintf("%s: %q, floor %q", at, got.H1, want.H1))
		}
		if !slices.Equal(got.Links, want.Links) {
			d.links = append(d.links, at+": "+firstDifference(got.Links, want.Links))
		}
		if got.TextLength != want.TextLength {
			d.text = append(d.text, fmt.Sprintf("%s: %d, floor %d", at, got.TextLength, want.TextLength))
		}
	}
	for at := range other {
		if _, ok := floor[at]; !ok {
			d.extra = append(d.extra, at)
		}
	}
	for _, list := range [][]string{d.missing, d.extra, d.titles, d.h1, d.links, d.text} {
		slices.Sort(list)
	}
	return d
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("link %d of %d is %s, floor %s of %d", i, len(got), got[i], want[i], len(want))
		}
	}
	return fmt.Sprintf("%d links, floor %d", len(got), len(want))
}

// readOutput reads a peer's pages by URL, and the URLs it gave twice.
func readOutput(path string) (map[string]row, []string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	rows := map[string]row{}
	var repeated []string
	decoder := json.NewDecoder(bufio.NewReaderSize(file, 1<<20))
	for {
		var r row
		if err := decoder.Decode(&r); err == io.EOF {
			return rows, repeated, nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("%s, after %d pages: %w", path, len(rows), err)
		}
		r.URL = canonical(r.URL)
		r.Links = canonicals(r.Links)
		if _, ok := rows[r.URL]; ok {
			repeated = append(repeated, r.URL)
		}
		rows[r.URL] = r
	}
}

// canonical removes what only the URL libraries of three languages differ in:
// the empty path of a host, and which characters they escape. It also cuts a
// fragment: a peer that keeps it does more work for the same links.
func canonical(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	u.Host = strings.ToLower(u.Host)
	if u.Path == "" && u.Host != "" {
		u.Path = "/"
	}
	u.RawPath, u.Fragment, u.RawFragment = "", "", ""
	return u.String()
}

// canonicals are the links in canonical form, each once: two that one library
// tells apart may be the same to another.
func canonicals(links []string) []string {
	seen := make(map[string]bool, len(links))
	kept := links[:0]
	for _, link := range links {
		if link = canonical(link); !seen[link] {
			seen[link] = true
			kept = append(kept, link)
		}
	}
	return kept
}

// countLines counts the rows of a file without keeping it.
func countLines(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	n, block := 0, make([]byte, 1<<16)
	for {
		k, err := file.Read(block)
		n += bytes.Count(block[:k], []byte("\n"))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
