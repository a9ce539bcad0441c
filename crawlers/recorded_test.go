package crawlers_test

import (
	"testing"

	"shoal/crawlers"
	"shoal/internal/crawl"
	"shoal/internal/crawler"
	"shoal/internal/har"
)

// TestRecordings replays the recorded tests of every built-in crawler, as
// `shoal crawler test` does: offline, and each has at least one.
func TestRecordings(t *testing.T) {
	c, err := crawler.NewCatalogue(crawlers.FS, "")
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		p, err := c.Lookup(info.Slug)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Tests) == 0 {
			t.Errorf("%s has no recorded test", info.Slug)
		}
		for _, test := range p.Tests {
			t.Run(test.Replay, func(t *testing.T) {
				file, err := har.OpenFS(crawlers.FS, test.Replay)
				if err != nil {
					t.Fatal(err)
				}
				report, differences, err := crawl.Check(t.Context(), p, test, file.Replay())
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range differences {
					t.Errorf("%s: %+v", info.Slug, d)
				}
				if len(report.Rows) == 0 {
					t.Error("no rows")
				}
			})
		}
	}
}
