package crawler

import "reflect"

//go:generate go run ./keysgen

// Construct is a mapping of the definition language with its keys, as the
// comments of definition.go describe it.
type Construct struct {
	Name string // of its type here
	Doc  string
	Keys []Key
}

// Key is a key of a construct. Type says in words what its value is; Of names the
// construct that it holds, if it holds one.
type Key struct {
	Name, Type, Of, Doc string
}

// Word is a word of the language: a value that a key may have, or a function of
// expressions.
type Word struct {
	Name, Doc string
}

// Constructs returns the definition language, the definition itself first.
func Constructs() []Construct { return constructs }

// Values returns the values of the key as, format, scope or keep.
func Values(key string) []Word { return valueDocs[key] }

// Functions returns the functions that expressions have besides the library's.
func Functions() []Word { return functionDocs }

// Variables returns the names that expressions can read.
func Variables() []string {
	var out []string
	t := reflect.TypeFor[Env]()
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("expr"); name != "" && name[0] != '_' {
			out = append(out, name)
		}
	}
	return out
}

// UsedKeys returns which keys of which constructs the definition src uses, as
// "construct.key". What is wrong in it is passed over.
func UsedKeys(src []byte) map[string]bool {
	used := map[string]bool{}
	root, problems := parseYAML("", src)
	if len(problems) > 0 {
		return used
	}
	d := &decoder{used: used}
	var def definition
	d.decode(root, &def, "the definition")
	return used
}
