package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// settings are the values of shoal.yaml: flags by name, those of one verb under
// its name.
type settings struct {
	file   string
	values map[string]any
}

// yamlConfig reads shoal.yaml.
func yamlConfig(r io.Reader) (kong.Resolver, error) {
	s := &settings{file: "shoal.yaml"}
	if f, ok := r.(*os.File); ok {
		s.file = filepath.Base(f.Name())
	}
	if err := yaml.NewDecoder(r).Decode(&s.values); err != nil && !errors.Is(err, io.EOF) {
		return nil, err // kong names the file
	}
	return s, nil
}

// Validate refuses a key that is no flag: it would be a setting that silently
// does nothing.
func (s *settings) Validate(app *kong.Application) error {
	return s.check(app.Node, s.values, "")
}

func (s *settings) check(node *kong.Node, values map[string]any, under string) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if child := childOf(node, key); child != nil {
			if section, ok := values[key].(map[string]any); ok {
				if err := s.check(child, section, under+key+"."); err != nil {
					return err
				}
				continue
			}
		}
		if !hasFlag(node, key) {
			return fmt.Errorf("%s: there is no flag --%s%s", s.file, key, forVerb(under))
		}
	}
	return nil
}

func forVerb(under string) string {
	if under == "" {
		return " of any verb"
	}
	return " of shoal " + strings.ReplaceAll(strings.TrimSuffix(under, "."), ".", " ")
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// hasFlag reports whether the node or a verb below it has the flag.
func hasFlag(node *kong.Node, name string) bool {
	if slices.ContainsFunc(node.Flags, func(f *kong.Flag) bool { return f.Name == name }) {
		return true
	}
	return slices.ContainsFunc(node.Children, func(child *kong.Node) bool { return hasFlag(child, name) })
}

// Resolve returns the file's value of a flag, nil when it has none.
func (s *settings) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	// The environment is nearer to the person than the file.
	if slices.ContainsFunc(flag.Envs, func(name string) bool { _, set := os.LookupEnv(name); return set }) {
		return nil, nil
	}
	at := s.values
	for _, name := range verbPath(parent.Node()) {
		section, ok := at[name].(map[string]any)
		if !ok {
			break
		}
		if v, ok := section[flag.Name]; ok {
			return v, nil
		}
		at = section
	}
	if v, ok := s.values[flag.Name]; ok {
		if _, section := v.(map[string]any); !section {
			return v, nil
		}
	}
	return nil, nil
}

// verbPath returns the words of the verb: "run", "ls".
func verbPath(node *kong.Node) []string {
	var words []string
	for ; node != nil && node.Type == kong.CommandNode; node = node.Parent {
		words = append([]string{node.Name}, words...)
	}
	return words
}
