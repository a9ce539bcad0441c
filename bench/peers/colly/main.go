// Command colly does the job of bench/peers with Colly.
//
//	colly URL OUT
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"
	"github.com/gocolly/colly/v2"
)

type row struct {
	URL        string   `json:"url"`
	Title      string   `json:"title"`
	H1         []string `json:"h1"`
	Links      []string `json:"links"`
	TextLength int      `json:"text_length"`
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: colly URL OUT")
	}
	start := os.Args[1]
	prefix := start[:strings.LastIndexByte(start, '/')+1]
	file, err := os.Create(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	out := bufio.NewWriterSize(file, 1<<16)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	var mu sync.Mutex

	c := colly.NewCollector(colly.Async(true), colly.MaxBodySize(0))
	c.WithTransport(&http.Transport{MaxIdleConnsPerHost: 16})
	c.SetRequestTimeout(time.Minute)
	if err := c.Limit(&colly.LimitRule{DomainGlob: "*", Parallelism: 16}); err != nil {
		log.Fatal(err)
	}
	c.OnHTML("html", func(e *colly.HTMLElement) {
		r := read(e)
		mu.Lock()
		err := encoder.Encode(r)
		mu.Unlock()
		if err != nil {
			log.Fatal(err)
		}
		for _, link := range r.Links {
			if strings.HasPrefix(link, prefix) {
				c.Visit(link) // an error says that it was visited already
			}
		}
	})
	if err := c.Visit(start); err != nil {
		log.Fatal(err)
	}
	c.Wait()
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
}

func read(e *colly.HTMLElement) row {
	r := row{URL: e.Request.URL.String(), Title: collapse(e.DOM.Find("title").First().Text()), H1: []string{}, Links: []string{}}
	e.DOM.Find("h1").Each(func(_ int, s *goquery.Selection) { r.H1 = append(r.H1, collapse(s.Text())) })
	seen := map[string]bool{}
	e.DOM.Find("a[href]").Each(func(_ int, s *goquery.Selection) {
		ref, _, _ := strings.Cut(strings.TrimSpace(s.AttrOr("href", "")), "#")
		u, err := e.Request.URL.Parse(ref)
		if err != nil || u.Scheme == "javascript" || u.Scheme == "data" {
			return
		}
		if link := u.String(); !seen[link] {
			seen[link] = true
			r.Links = append(r.Links, link)
		}
	})
	body := e.DOM.Find("body").First()
	body.Find("script, style, template").Remove()
	r.TextLength = utf8.RuneCountInString(collapse(body.Text()))
	return r
}

func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }
