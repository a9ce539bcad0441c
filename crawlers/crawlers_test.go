package crawlers_test

import (
	"testing"

	"shoal/crawlers"
	"shoal/internal/crawler"
)

// TestBuiltins checks that the catalogue takes every definition, and that each
// can be used as clients will: described, priced, with an example for its task.
func TestBuiltins(t *testing.T) {
	c, err := crawler.NewCatalogue(crawlers.FS, "")
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 3 {
		t.Fatalf("%d built-in crawlers", len(list))
	}
	for _, info := range list {
		p, err := c.Lookup(string(info.ID))
		if err != nil {
			t.Errorf("%s: %v", info.Slug, err)
			continue
		}
		if info.Description == "" || info.CreditsPerRow <= 0 {
			t.Errorf("%s: no description or no price", info.Slug)
		}
		task := map[string]any{}
		for _, in := range info.Input {
			if in.Level == "task" && in.Required {
				task[in.Name] = in.Example
			}
		}
		if _, _, err := p.CheckTask(task); err != nil {
			t.Errorf("%s: its own example is no valid task: %v", info.Slug, err)
		}
		main := 0
		for _, a := range info.Result {
			if a.IsMain {
				main++
			}
		}
		if main == 0 {
			t.Errorf("%s: no field is marked main", info.Slug)
		}
	}
}

func BenchmarkLookupWebsite(b *testing.B) {
	for b.Loop() {
		c, err := crawler.NewCatalogue(crawlers.FS, "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Lookup("website"); err != nil {
			b.Fatal(err)
		}
	}
}
