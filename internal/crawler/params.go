package crawler

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"shoal"
)

const maxParamLength = 100_000 // characters of one text

// CheckParams checks squid-level params and functions as a client sets them
// and returns what to store: only the explicitly set ones, canonical. A nil
// value takes a setting back to its default; functions may stand among params,
// flat or as a mapping "functions". The error is a *shoal.Error that names the key.
func (p *Program) CheckParams(params, functions map[string]any) (map[string]any, map[string]any, error) {
	outParams, outFunctions := map[string]any{}, map[string]any{}
	for _, name := range sortedKeys(params) {
		v := params[name]
		if name == "functions" {
			nested, ok := v.(map[string]any)
			if !ok && v != nil {
				return nil, nil, shoal.Invalid("InvalidParamType", name, "functions must be an object of names with true or false")
			}
			if err := p.checkFunctions(nested, outFunctions); err != nil {
				return nil, nil, err
			}
			continue
		}
		if p.addon(name) != nil {
			if err := p.checkFunctions(map[string]any{name: v}, outFunctions); err != nil {
				return nil, nil, err
			}
			continue
		}
		in := p.squid.find(name)
		if in == nil {
			return nil, nil, shoal.Invalid("ParamsInvalid", name, "%s", unknown("param", name, p.Info.Name, append(p.squid.names(), p.functionNames()...)))
		}
		if v == nil {
			continue
		}
		checked, err := in.check(v)
		if err != nil {
			return nil, nil, err
		}
		if err := checkCommon(name, checked); err != nil {
			return nil, nil, err
		}
		outParams[name] = checked
	}
	if err := p.checkFunctions(functions, outFunctions); err != nil {
		return nil, nil, err
	}
	return outParams, outFunctions, nil
}

func (p *Program) checkFunctions(in, out map[string]any) error {
	for _, name := range sortedKeys(in) {
		if p.addon(name) == nil {
			return shoal.Invalid("ParamsInvalid", name, "%s", unknown("function", name, p.Info.Name, p.functionNames()))
		}
		if in[name] == nil {
			delete(out, name)
			continue
		}
		b, ok := toBool(in[name])
		if !ok {
			return shoal.Invalid("InvalidParamType", name, "function %q is %s; it must be true or false", name, describe(in[name]))
		}
		out[name] = b
	}
	return nil
}

func (p *Program) addon(name string) *addon {
	i := slices.IndexFunc(p.addons, func(a addon) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &p.addons[i]
}

func (p *Program) functionNames() []string {
	var out []string
	for _, a := range p.addons {
		out = append(out, a.Name)
	}
	return out
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// checkCommon checks the forms of the params that every crawler has.
func checkCommon(name string, v any) *shoal.Error {
	switch name {
	case ParamFetchSince:
		if _, err := sinceTime(v.(string), time.UTC, time.Unix(0, 0)); err != nil {
			return shoal.Invalid("ParamsInvalid", name, "fetch_since is %q; write 24h, 7d, 2w or YYYY-MM-DD HH:MM[:SS]", clip(v.(string), 40))
		}
	case ParamFetchSinceZone:
		if _, err := time.LoadLocation(v.(string)); err != nil || v == "" || v == "Local" {
			return shoal.Invalid("ParamsInvalid", name, "fetch_since_timezone is %q; write an IANA name such as Europe/Paris or UTC", clip(v.(string), 40))
		}
	}
	return nil
}

// check converts v to the input's type without loss and checks its bounds.
func (in *input) check(v any) (any, *shoal.Error) {
	out, ok := convert(v, in.Type)
	if !ok {
		return nil, shoal.Invalid("InvalidParamType", in.Name, "%q is %s; it must be %s", in.Name, describe(v), typeName(in.Type))
	}
	switch x := out.(type) {
	case string:
		if utf8.RuneCountInString(x) > maxParamLength {
			return nil, shoal.Invalid("ParamsInvalid", in.Name, "%q has more than %d characters", in.Name, maxParamLength)
		}
		if !utf8.ValidString(x) {
			return nil, shoal.Invalid("ParamsInvalid", in.Name, "%q is not valid UTF-8", in.Name)
		}
		if err := in.checkForm(x); err != nil {
			return nil, err
		}
		if in.re != nil && !in.re.MatchString(x) {
			return nil, shoal.Invalid("ParamsInvalid", in.Name, "%q is %s, which does not match %s%s", in.Name, describe(x), in.Regex, in.hint())
		}
	case int64:
		if err := in.bounds(float64(x)); err != nil {
			return nil, err
		}
	case float64:
		if err := in.bounds(x); err != nil {
			return nil, err
		}
	}
	if len(in.Allowed) > 0 && !in.allowed(out) {
		return nil, shoal.Invalid("ParamsInvalid", in.Name, "%q is %s; allowed: %s", in.Name, describe(out), list(in.Allowed))
	}
	return out, nil
}

// checkForm checks a text that is a program's or an address.
func (in *input) checkForm(s string) *shoal.Error {
	switch in.form {
	case "regex":
		if _, err := CompileRegexp(s); err != nil {
			return shoal.Invalid("ParamsInvalid", in.Name, "%q is no regular expression: %v", in.Name, err)
		}
	case "url":
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return shoal.Invalid("ParamsInvalid", in.Name, "%q is %s; it must be an address that begins with http:// or https:// and names a host%s", in.Name, describe(s), in.hint())
		}
	}
	return nil
}

func (in *input) hint() string {
	if in.Example == nil {
		return ""
	}
	return fmt.Sprintf("; for example %v", in.Example)
}

func (in *input) bounds(x float64) *shoal.Error {
	switch {
	case in.Min != nil && x < *in.Min:
		return shoal.Invalid("ParamsInvalid", in.Name, "%q is %v; the least is %v", in.Name, x, *in.Min)
	case in.Max != nil && x > *in.Max:
		return shoal.Invalid("ParamsInvalid", in.Name, "%q is %v; the most is %v", in.Name, x, *in.Max)
	}
	return nil
}

// allowed reports whether v, or every element of an array, is an allowed value.
func (in *input) allowed(v any) bool {
	if items, ok := v.([]any); ok {
		return !slices.ContainsFunc(items, func(x any) bool { return !in.allowed(x) })
	}
	return slices.ContainsFunc(in.Allowed, func(a any) bool {
		c, ok := convert(a, in.Type)
		return ok && c == v || a == v
	})
}

func list(values []any) string {
	s := make([]string, len(values))
	for i, v := range values {
		s[i] = fmt.Sprint(v)
	}
	return strings.Join(s, ", ")
}

func typeName(t shoal.ParamType) string {
	switch t {
	case shoal.TypeInt:
		return "a whole number"
	case shoal.TypeFloat:
		return "a number"
	case shoal.TypeBoolean:
		return "true or false"
	case shoal.TypeArray:
		return "a list"
	}
	return "a text"
}

// convert turns v into the given type if nothing is lost by it.
func convert(v any, t shoal.ParamType) (any, bool) {
	switch t {
	case shoal.TypeString:
		return toString(v)
	case shoal.TypeInt:
		return toInt(v)
	case shoal.TypeFloat:
		return toFloat(v)
	case shoal.TypeBoolean:
		return toBool(v)
	case shoal.TypeArray:
		return toArray(v)
	}
	return nil, false
}

func toString(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case fmt.Stringer: // json.Number keeps its literal
		return v.String(), true
	}
	if i, ok := toInt(v); ok {
		return strconv.FormatInt(i.(int64), 10), true
	}
	if f, ok := v.(float64); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return strconv.FormatFloat(f, 'f', -1, 64), true
	}
	return nil, false
}

func toInt(v any) (any, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v), true
		}
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return i, err == nil
	case fmt.Stringer:
		return toInt(v.String())
	}
	return nil, false
}

func toFloat(v any) (any, bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case int:
		return float64(v), true
	case int64:
		return float64(v), int64(float64(v)) == v
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case fmt.Stringer:
		return toFloat(v.String())
	}
	return nil, false
}

func toBool(v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "1", "yes", "on":
			return true, true
		case "false", "0", "no", "off":
			return false, true
		}
	default:
		if i, ok := toInt(v); ok && (i == int64(0) || i == int64(1)) {
			return i == int64(1), true
		}
	}
	return nil, false
}

// toArray accepts a list of scalars, or one scalar as a list of one.
func toArray(v any) (any, bool) {
	items, ok := v.([]any)
	if !ok {
		if _, scalar := toString(v); !scalar {
			return nil, false
		}
		return []any{v}, true
	}
	out := make([]any, len(items))
	for i, item := range items {
		switch x := item.(type) {
		case string, bool, int64, float64:
			out[i] = x
		case int:
			out[i] = int64(x)
		case fmt.Stringer:
			f, ok := toFloat(x)
			if !ok {
				return nil, false
			}
			out[i] = f
		default:
			return nil, false
		}
	}
	return out, true
}
