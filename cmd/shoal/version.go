package main

import (
	"runtime"
	"runtime/debug"
)

// version is the release; the build's own information completes it.
const version = "0.1.0"

// versionCmd prints the version.
type versionCmd struct {
	JSON bool `help:"Print JSON." name:"json"`
}

// Run does the verb.
func (c *versionCmd) Run(o *output) error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if c.JSON {
		return printJSON(o.out, map[string]string{"version": version, "revision": revision, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	o.printf("shoal %s", version)
	if revision != "" {
		o.printf(" (%.12s)", revision)
	}
	o.printf(" %s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
