package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// peer is a crawler that does the job.
type peer struct {
	name  string
	needs []need
	// prepare makes it ready to run; dir is where binaries go. May be nil.
	prepare func(ctx context.Context, dir string) error
	// command is how it runs, with {bin}, {url}, {out} and {data} in it.
	command []string
	env     []string

	bin    string
	output string // of the last whole run
	runs   []result
}

// need is a program and the Debian package that brings it.
type need struct{ command, pkg string }

// result is one round of a peer: the whole site and a single page.
type result struct {
	site, one usage
	pages     int
}

// usage is what a process took.
type usage struct {
	cpu, wall time.Duration // cpu: user and system, its children's included
	rss       int64         // peak, bytes
}

func allPeers(o options) []peer {
	shoal := peer{name: "shoal", prepare: goBuild("./cmd/shoal"), env: []string{"SHOAL_ALLOW_PRIVATE_TARGETS=true"},
		command: []string{"{bin}", "go", "bench/docsite.yaml", "{url}", "-c", "16", "-o", "{out}", "--data", "{data}"}}
	if o.shoal != "" {
		shoal.prepare, shoal.command = nil, strings.Fields(o.shoal)
	}
	crawlee := "bench/peers/crawlee"
	return []peer{
		{name: "floor", prepare: goBuild("./bench/peers/floor"), command: []string{"{bin}", "{url}", "{out}"}},
		shoal,
		{name: "colly", prepare: goBuild("bench/peers/colly"), command: []string{"{bin}", "{url}", "{out}"}},
		{name: "scrapy", needs: []need{{"scrapy", "python3-scrapy"}},
			command: []string{"scrapy", "runspider", "bench/peers/scrapy/spider.py", "-a", "start={url}", "-O", "{out}"}},
		{name: "crawlee", needs: []need{{"node", "nodejs"}, {"npm", "npm"}},
			prepare: func(ctx context.Context, _ string) error {
				if _, err := os.Stat(crawlee + "/node_modules/@crawlee/cheerio"); err == nil {
					return nil
				}
				return command(ctx, crawlee, "npm", "ci", "--no-audit", "--no-fund")
			},
			command: []string{"node", crawlee + "/main.mjs", "{url}", "{out}"}},
	}
}

// goBuild builds a package of this module ("./x") or another module's directory ("x").
func goBuild(pkg string) func(context.Context, string) error {
	return func(ctx context.Context, bin string) error {
		if strings.HasPrefix(pkg, "./") {
			return command(ctx, "", "go", "build", "-o", bin, pkg)
		}
		return command(ctx, pkg, "go", "build", "-o", bin, ".")
	}
}

func choosePeers(o options) ([]peer, error) {
	all := allPeers(o)
	var names, chosen []string
	for _, p := range all {
		names = append(names, p.name)
	}
	for name := range strings.SplitSeq(o.peers, ",") {
		if name = strings.TrimSpace(name); !slices.Contains(names, name) {
			return nil, fmt.Errorf("-peers has %q; it may have %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, name)
	}
	return slices.DeleteFunc(all, func(p peer) bool { return p.name != "floor" && !slices.Contains(chosen, p.name) }), nil
}

func (p *peer) build(ctx context.Context, dir string) error {
	p.bin = filepath.Join(dir, "bin", p.name)
	if p.prepare == nil {
		return nil
	}
	return p.prepare(ctx, p.bin)
}

// measure runs the peer once on a single page and once on the site.
func (p *peer) measure(ctx context.Context, s *server, dir string, round int) error {
	var r result
	var err error
	if r.one, err = p.run(ctx, s.one, filepath.Join(dir, p.name+"-one.jsonl")); err != nil {
		return err
	}
	p.output = filepath.Join(dir, p.name+".jsonl")
	if r.site, err = p.run(ctx, s.url, p.output); err != nil {
		return err
	}
	if r.pages, err = countLines(p.output); err != nil {
		return err
	}
	if r.pages < 2 {
		return fmt.Errorf("its output %s has %d pages; the site has more", p.output, r.pages)
	}
	p.runs = append(p.runs, r)
	fmt.Printf("round %d %-8s %6d pages %8.2f s CPU %8.2f s wall %6.0f MB   one page %5.2f s CPU %5.2f s wall\n", round, p.name,
		r.pages, r.site.cpu.Seconds(), r.site.wall.Seconds(), float64(r.site.rss)/1e6, r.one.cpu.Seconds(), r.one.wall.Seconds())
	return nil
}

func (p *peer) run(ctx context.Context, url, out string) (usage, error) {
	data, err := os.MkdirTemp("", "peers-data-")
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(data)
	if err := os.Remove(out); err != nil && !errors.Is(err, os.ErrNotExist) {
		return usage{}, err
	}
	fill := strings.NewReplacer("{bin}", p.bin, "{url}", url, "{out}", out, "{data}", data)
	args := make([]string, len(p.command))
	for i, a := range p.command {
		args[i] = fill.Replace(a)
	}
	var said tail
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = &said, &said
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return usage{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, said.Bytes())
	}
	u := usage{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall: time.Since(begin)}
	u.rss = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024 // Linux counts it in KiB
	return u, nil
}

// tail keeps the last of what a process said, for the error if it fails.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	if t.Len() > 1<<16 {
		t.Next(t.Len() - 1<<12)
	}
	return t.Buffer.Write(p)
}
