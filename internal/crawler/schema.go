package crawler

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"

	"shoal"
)

// Schema returns the JSON Schema (draft 2020-12) of definitions, for editors.
// It is made of the types of definition.go. A definition that Compile accepts
// fits it; the reverse is not so, since a schema cannot check selectors,
// expressions, or that a name is known.
func Schema() []byte { return schemaText() }

var schemaText = sync.OnceValue(func() []byte {
	s := schemer{defs: map[string]any{}}
	root := s.structure(reflect.TypeFor[definition]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Shoal crawler definition"
	root["required"] = []string{"slug", "name", "start", "pages"}
	root["$defs"] = s.defs
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps, lists and texts only
	}
	return append(out, '\n')
})

// schemer makes schemas of the language's types.
type schemer struct{ defs map[string]any }

type shape = map[string]any

var (
	textSchema   = shape{"type": []string{"string", "number"}}
	scalarSchema = shape{"type": []string{"string", "number", "boolean", "array", "null"}, "items": shape{"type": []string{"string", "number", "boolean", "array", "null"}}}
)

func (s *schemer) of(t reflect.Type) shape {
	switch t {
	case reflect.TypeFor[text]():
		return textSchema
	case reflect.TypeFor[scalar]():
		return scalarSchema
	case reflect.TypeFor[tree](), reflect.TypeFor[anything]():
		return shape{}
	case reflect.TypeFor[dataDef](), reflect.TypeFor[placeDef]():
		return shape{"anyOf": []shape{textSchema, s.ref(t)}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Struct:
		return s.ref(t)
	case reflect.Slice:
		return s.list(t)
	case reflect.Bool:
		return shape{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return shape{"type": "integer"}
	case reflect.Float64:
		return shape{"type": "number"}
	}
	return textSchema
}

// list is the schema of a list, of one thing or a list of them, or of names
// with things.
func (s *schemer) list(t reflect.Type) shape {
	switch name := t.Name(); {
	case strings.HasPrefix(name, "ordered["):
		val, _ := t.Elem().FieldByName("val")
		return shape{"type": "object", "additionalProperties": s.of(val.Type)}
	case strings.HasPrefix(name, "many["):
		one := s.of(t.Elem())
		return shape{"anyOf": []shape{one, {"type": "array", "items": one}}}
	}
	return shape{"type": "array", "items": s.of(t.Elem())}
}

// ref enters a mapping of the language among the definitions.
func (s *schemer) ref(t reflect.Type) shape {
	name := strings.TrimSuffix(t.Name(), "Def")
	if s.defs[name] == nil {
		s.defs[name] = shape{} // it may hold itself
		s.defs[name] = s.structure(t)
	}
	return shape{"$ref": "#/$defs/" + name}
}

func (s *schemer) structure(t reflect.Type) shape {
	properties := shape{}
	for i := range t.NumField() {
		key := t.Field(i).Tag.Get("yaml")
		if key == "" {
			continue
		}
		property := shape{}
		for k, v := range s.of(t.Field(i).Type) {
			property[k] = v
		}
		if words := wordsOf(t.Name(), key); words != nil {
			property["enum"] = words
			delete(property, "type")
		}
		// A key without a value is the same as one left out.
		properties[key] = shape{"anyOf": []shape{property, {"type": "null"}}, "description": docOf(t.Name(), key)}
	}
	return shape{"type": "object", "properties": properties, "additionalProperties": false}
}

// docOf is what the comments of definition.go say of a key.
func docOf(construct, key string) string {
	for _, c := range Constructs() {
		if c.Name != construct {
			continue
		}
		for _, k := range c.Keys {
			if k.Name == key {
				return k.Doc
			}
		}
	}
	return ""
}

// wordsOf returns the words that a key may have; nil: any text.
func wordsOf(construct, key string) []string {
	switch construct + "." + key {
	case "pageDef.format", "stepDef.format":
		return formats
	case "pageDef.status":
		return []string{"any", "ok"}
	case "fieldDef.as":
		return asNames
	case "fieldDef.keep":
		return []string{string(KeepInternal), string(KeepExternal)}
	case "followDef.carry", "rowsDef.extends":
		return []string{"row"}
	case "detectDef.reason":
		return detectReasons
	case "accountDef.requires":
		return requirements
	case "inputDef.level":
		return []string{string(shoal.LevelTask), string(shoal.LevelSquid)}
	}
	return nil
}
