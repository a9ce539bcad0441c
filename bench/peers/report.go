package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// report writes the comparison as Markdown.
func report(w io.Writer, s site, peers []peer, differences map[string]difference) {
	pages := peers[0].runs[0].pages
	fmt.Fprintf(w, "\n## %s: %d pages, %d rounds\n\n", s.name, pages, len(peers[0].runs))
	fmt.Fprintf(w, "%s, %s, %d cores, load %s. CPU is user and system time of the whole process, the N-page run less the 1-page run; "+
		"medians of the rounds, the ratio taken within each round.\n\n", cpuModel(), runtime.Version(), runtime.NumCPU(), load())
	fmt.Fprintln(w, "| | CPU s / 1,000 pages | ratio | ratio, min–max | wall s | pages/s | peak RSS MB | ratio | start: wall s | CPU s |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	floor := peers[0]
	for _, p := range peers {
		ratios := each(p, func(i int) float64 { return perThousand(p.runs[i]) / perThousand(floor.runs[i]) })
		wall := median(each(p, func(i int) float64 { return p.runs[i].site.wall.Seconds() }))
		rss := median(each(p, func(i int) float64 { return float64(p.runs[i].site.rss) / 1e6 }))
		fmt.Fprintf(w, "| %s | %.2f | **%.2f** | %.2f–%.2f | %.1f | %.0f | %.0f | %.2f | %.2f | %.2f |\n", p.name,
			median(each(p, func(i int) float64 { return perThousand(p.runs[i]) })), median(ratios), slices.Min(ratios), slices.Max(ratios),
			wall, float64(p.runs[0].pages)/wall, rss,
			median(each(p, func(i int) float64 { return float64(p.runs[i].site.rss) / float64(floor.runs[i].site.rss) })),
			median(each(p, func(i int) float64 { return p.runs[i].one.wall.Seconds() })),
			median(each(p, func(i int) float64 { return p.runs[i].one.cpu.Seconds() })))
	}
	fmt.Fprint(w, "\nOutputs against the floor's, page by page:\n\n")
	for _, p := range peers[1:] {
		describe(w, p.name, differences[p.name])
	}
}

func describe(w io.Writer, name string, d difference) {
	if d.none() {
		fmt.Fprintf(w, "- %s: the same on every page\n", name)
		return
	}
	fmt.Fprintf(w, "- %s:", name)
	for _, part := range []struct {
		what string
		list []string
	}{
		{"pages missing", d.missing}, {"pages more", d.extra}, {"pages twice", d.repeated}, {"titles", d.titles},
		{"h1", d.h1}, {"links", d.links}, {"text lengths", d.text},
	} {
		if len(part.list) > 0 {
			fmt.Fprintf(w, " %d %s;", len(part.list), part.what)
		}
	}
	fmt.Fprintln(w)
	for _, list := range [][]string{d.missing, d.extra, d.repeated, d.titles, d.h1, d.links, d.text} {
		for _, example := range list[:min(2, len(list))] {
			fmt.Fprintf(w, "  - %s\n", example)
		}
	}
}

// perThousand is the CPU seconds of 1,000 pages, start-up left out.
func perThousand(r result) float64 {
	return (r.site.cpu - r.one.cpu).Seconds() / float64(r.pages-1) * 1000
}

func each(p peer, figure func(round int) float64) []float64 {
	list := make([]float64, len(p.runs))
	for i := range list {
		list[i] = figure(i)
	}
	return list
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func cpuModel() string {
	out, err := exec.Command("sh", "-c", `sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1`).Output()
	if err != nil || len(out) == 0 {
		return runtime.GOARCH
	}
	return strings.TrimSpace(string(out))
}

// load is the machine's load average: figures taken on a busy machine say so.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
