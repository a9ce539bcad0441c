package shoal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What tests may use besides their package's own row: the web to try things
// on, a PostgreSQL, and the real store instead of a mock. External test
// packages (x_test) put the house together and may import all of it.
var testOnly = []string{"internal/fixtures", "internal/pgtest", "internal/mariatest", "internal/store", "internal/store/storetest"}

// allowedImports reads the table of ARCHITECTURE.md: for each package the
// packages of this module that it may import, "*" for all.
func allowedImports(t *testing.T) map[string][]string {
	document, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	aside := regexp.MustCompile(`\([^)]*\)`)
	allowed := map[string][]string{"internal/store/storetest": append([]string{"internal/jobs"}, testOnly...), "bench": {"*"}}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*) \\| .* \\| (.*) \\|$").FindAllStringSubmatch(string(document), -1) {
		var may []string
		for name := range strings.SplitSeq(aside.ReplaceAllString(row[2], ""), ",") {
			switch name = strings.TrimSpace(name); name {
			case "–", "":
			case "all":
				may = append(may, "*")
			case "shoal":
				may = append(may, ".")
			default:
				may = append(may, "internal/"+name)
			}
		}
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			dir := name[1]
			if _, err := os.Stat(dir); err != nil && dir != "shoal" {
				dir = "internal/" + dir
			}
			if dir == "shoal" {
				dir = "."
			}
			allowed[dir] = append(allowed[dir], may...)
		}
	}
	if len(allowed) < 10 {
		t.Fatalf("read %d packages from the table of ARCHITECTURE.md: its form has changed, and this test reads it", len(allowed))
	}
	return allowed
}

// TestImports holds the arrows to the table: a package that needs another one
// gets a corrected table in the same change, or a better idea.
func TestImports(t *testing.T) {
	allowed := allowedImports(t)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && skipped(path, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		may, ok := lookup(allowed, dir)
		if !ok {
			t.Errorf("%s: package %s is not in the table of ARCHITECTURE.md; add its row", path, dir)
		}
		if strings.HasSuffix(path, "_test.go") {
			may = append(slices.Clone(may), testOnly...)
			if strings.HasSuffix(file.Name.Name, "_test") {
				may = append(may, "*")
			}
		}
		for _, spec := range file.Imports {
			to, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`)+"/", "shoal/")
			if to = strings.TrimSuffix(to, "/"); to == "" {
				to = "."
			}
			within := strings.HasPrefix(to, dir+"/") && to != "internal/store/storetest"
			if ours && !within && !slices.Contains(may, "*") && !slices.Contains(may, to) {
				t.Errorf("%s imports shoal/%s; the table of ARCHITECTURE.md allows %s only %v", path, to, dir, may)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// skipped are the directories that hold no package of this module.
func skipped(path, name string) bool {
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".")
}

// lookup finds the row of the directory, or of the nearest one above it.
func lookup(allowed map[string][]string, dir string) ([]string, bool) {
	for at := dir; ; at = filepath.ToSlash(filepath.Dir(at)) {
		if may, ok := allowed[at]; ok && (at != "." || dir == ".") {
			return may, true
		}
		if at == "." {
			return nil, false
		}
	}
}
