package main

import (
	"fmt"
	"net/url"
	"os"

	"shoal/client"
)

// serverFlags say which server a remote verb speaks to, and as whom.
type serverFlags struct {
	Server string `help:"Address of the Shoal server; http://127.0.0.1:8080 unless given." default:"http://127.0.0.1:8080" env:"SHOAL_SERVER" placeholder:"URL"`
	Token  string `help:"API key." env:"SHOAL_TOKEN" short:"k" name:"key" placeholder:"KEY"`
	JSON   bool   `help:"Print JSON, as the API answers." name:"json"`
}

func (s *serverFlags) client() (*client.Client, error) {
	if s.Token == "" {
		return nil, &exit{exitUsage, fmt.Errorf("an API key is needed: pass --key KEY or set SHOAL_TOKEN; `shoal serve` prints one at its first start")}
	}
	if u, err := url.Parse(s.Server); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &exit{exitUsage, fmt.Errorf("--server is %q; it must be an address such as http://127.0.0.1:8080", s.Server)}
	}
	return client.New(s.Server, s.Token, nil), nil
}

// pageFlags choose a page of a list.
type pageFlags struct {
	Page  int `help:"Page of the list, from 1." default:"1"`
	Limit int `help:"Items on a page, at most 100." default:"50"`
}

func (p pageFlags) window() client.Window { return client.Window{Page: p.Page, Limit: p.Limit} }

// listing prints a page of a list as a table, or as JSON.
func listing[T any](o *output, asJSON bool, p *client.Page[T], heads []string, row func(T) []string) error {
	if asJSON {
		return printJSON(o.out, p)
	}
	return listed(o, p, table{heads: heads, whole: 1}, row)
}

// report is listing with a last column of sentences, which are not cut.
func report[T any](o *output, asJSON bool, p *client.Page[T], heads []string, row func(T) []string) error {
	if asJSON {
		return printJSON(o.out, p)
	}
	return listed(o, p, table{heads: heads, whole: 1, full: true}, row)
}

func listed[T any](o *output, p *client.Page[T], t table, row func(T) []string) error {
	for _, v := range p.Data {
		t.add(row(v)...)
	}
	t.print(o.out)
	if p.TotalPages > 1 {
		o.notef("page %d of %d, %s in all\n", p.Page, p.TotalPages, count(p.TotalResults))
	}
	return nil
}

// openInput opens a file, or standard input for "-".
func openInput(o *output, name string) (file *os.File, err error) {
	if name == "-" {
		if f, ok := o.in.(*os.File); ok {
			return f, nil
		}
	}
	if err := readable(name); err != nil {
		return nil, err
	}
	file, err = os.Open(name)
	if err != nil {
		return nil, &exit{exitUsage, fmt.Errorf("the file of inputs %s: %w", name, cause(err))}
	}
	return file, nil
}
