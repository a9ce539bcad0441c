package crawler

import "shoal"

// Compile parses, checks and compiles the definition src, whose name in
// messages is file. The error is Problems and names everything that is wrong
// at once, as far as one mistake does not hide another.
func Compile(file string, src []byte) (*Program, error) {
	return nil, Problems{{File: file, Message: "the language is not compiled in"}}
}

// CheckParams checks squid-level params and functions as a client sets them
// and returns what to store: only the explicitly set ones, canonical. A nil
// value takes a setting back to its default; functions may stand among params.
// The error is a *shoal.Error that names the key.
func (p *Program) CheckParams(params, functions map[string]any) (map[string]any, map[string]any, error) {
	return params, functions, nil
}

// Settings returns what a run of s copies, defaults filled in. The error is a
// Business error SquidNotReady when a required param is unset.
func (p *Program) Settings(s *shoal.Squid) (shoal.RunSettings, error) {
	return shoal.RunSettings{}, nil
}

// CheckTask checks one task's params. It returns them as canonical JSON (keys
// sorted, defaults not filled in) with the digest that is the task's identity
// within its squid. The error is a *shoal.Error that names the key.
func (p *Program) CheckTask(params map[string]any) (canonical []byte, digest [16]byte, err error) {
	return nil, digest, nil
}
