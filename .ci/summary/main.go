// Command summary reads the events of "go test -json" and writes what a person
// wants of them: a line per package, the whole output of each test that
// failed, what was skipped, and at last the count, alone on its line. It exits
// with 1 when something failed or when nothing was tested.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// event is an entry of the stream; see "go doc test2json".
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// totals gathers what the end of the output says.
type totals struct {
	passed, failed int
	skipped        []string
	broken         []string            // packages that failed
	output         map[string][]string // by package and test, until it ends
	failedIn       map[string]bool     // packages with a failed test
}

func main() {
	t := totals{output: map[string][]string{}, failedIn: map[string]bool{}}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		var e event
		switch {
		case json.Unmarshal([]byte(line), &e) == nil && e.Action != "":
			t.add(e)
		case strings.TrimSpace(line) != "":
			fmt.Print(line) // not an event: go's own word, such as a bad flag
		}
		if err != nil {
			break
		}
	}
	os.Exit(t.report())
}

func (t *totals) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "build-output":
		fmt.Print(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.packageDone(e, key)
		} else {
			t.testDone(e, key)
		}
		delete(t.output, key)
	}
}

// testDone counts test functions; a subtest belongs to its function's count,
// but its output is shown when it fails.
func (t *totals) testDone(e event, key string) {
	if e.Action == "fail" {
		fmt.Printf("--- FAIL %s %s\n%s", e.Package, e.Test, strings.Join(t.output[key], ""))
	}
	if e.Action == "skip" {
		t.skipped = append(t.skipped, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(t.output[key])))
	}
	if strings.Contains(e.Test, "/") {
		return
	}
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		t.failedIn[e.Package] = true
	}
}

// reason is what a test said when it skipped itself.
func reason(output []string) string {
	for _, line := range output {
		if !strings.HasPrefix(strings.TrimSpace(line), "---") && !strings.HasPrefix(line, "===") {
			return strings.TrimSpace(line)
		}
	}
	return "no reason given"
}

func (t *totals) packageDone(e event, key string) {
	switch e.Action {
	case "pass":
		fmt.Printf("ok    %-40s %6.1f s\n", e.Package, e.Elapsed)
	case "fail":
		t.broken = append(t.broken, e.Package)
		// A panic or a time-out belongs to no finished test: show what is left.
		for left, lines := range t.output {
			if strings.HasPrefix(left, e.Package+" ") && left != key {
				fmt.Printf("--- UNFINISHED %s\n%s", left, strings.Join(lines, ""))
				t.failed++
				t.failedIn[e.Package] = true
				delete(t.output, left)
			}
		}
		if !t.failedIn[e.Package] {
			t.failed++ // it does not compile, or its TestMain gave up
		}
		fmt.Printf("%sFAIL  %-40s %6.1f s\n", strings.Join(t.output[key], ""), e.Package, e.Elapsed)
	}
}

func (t *totals) report() int {
	fmt.Println()
	for _, s := range t.skipped {
		fmt.Println("skipped:", s)
	}
	for _, p := range t.broken {
		fmt.Println("failed:", p)
	}
	fmt.Printf("%d passed, %d failed\n", t.passed, t.failed)
	if t.failed > 0 || t.passed == 0 {
		return 1
	}
	return 0
}
