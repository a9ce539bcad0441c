// Command peers compares whole crawlers on one job over a real documentation
// site that nginx serves on loopback: follow all links under a prefix and
// extract title, headings, links and text length of every page. README.md
// defines the job and says how the figures are made.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// options are the command line.
type options struct {
	docs, root, start string
	peers             string
	rounds            int
	shoal             string
	out               string
}

func main() {
	var o options
	flag.StringVar(&o.docs, "docs", "python3", "site: "+strings.Join(siteNames(), ", "))
	flag.StringVar(&o.root, "root", "", "serve this directory instead of a Debian package's")
	flag.StringVar(&o.start, "start", "index.html", "with -root: the first page; its directory is the prefix")
	flag.StringVar(&o.peers, "peers", "floor,shoal,colly,scrapy,crawlee", "who takes part; the floor always does")
	flag.IntVar(&o.rounds, "rounds", 3, "interleaved rounds")
	flag.StringVar(&o.shoal, "shoal", "", "Shoal's command with {url}, {out} and {data} in it (default: built from this checkout)")
	flag.StringVar(&o.out, "out", "bench/out", "directory for outputs and the report")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.rounds < 1 {
		return fmt.Errorf("-rounds is %d; at least 1 is needed", o.rounds)
	}
	site, err := findSite(o)
	if err != nil {
		return err
	}
	peers, err := choosePeers(o)
	if err != nil {
		return err
	}
	if err := install(ctx, site, peers); err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Join(o.out, site.name))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range peers {
		if err := peers[i].build(ctx, dir); err != nil {
			return fmt.Errorf("build %s: %w", peers[i].name, err)
		}
	}
	server, err := serve(ctx, site)
	if err != nil {
		return err
	}
	defer server.stop()
	fmt.Printf("%s at %s\n", site.name, server.url)
	for round := range o.rounds {
		for i := range peers {
			// Each round begins with another peer, so that none always follows the same one.
			p := &peers[(round+i)%len(peers)]
			if err := p.measure(ctx, server, dir, round+1); err != nil {
				return fmt.Errorf("round %d: %s: %w", round+1, p.name, err)
			}
		}
	}
	// Only now: a large driver would lend its peak memory to the processes it
	// starts (Linux counts a child's ru_maxrss from the fork).
	return conclude(site, peers, dir)
}

// conclude compares the outputs and writes the report.
func conclude(site site, peers []peer, dir string) error {
	differences, err := compareAll(peers)
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, "report.md"))
	if err != nil {
		return err
	}
	report(io.MultiWriter(os.Stdout, file), site, peers, differences)
	if err := file.Close(); err != nil {
		return err
	}
	fmt.Println("\nreport:", file.Name())
	return nil
}
