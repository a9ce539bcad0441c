package crawler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

const (
	maxExprSource = 4096
	maxExprNodes  = 400
	// exprMemory is how many values one evaluation may create.
	exprMemory = 100_000
)

// Env is what expressions and templates see. Which parts are filled in depends
// on where the expression stands.
type Env struct {
	Task      map[string]any    `expr:"task"`
	Params    map[string]any    `expr:"params"`
	Functions map[string]any    `expr:"functions"`
	URL       string            `expr:"url"`
	Status    int               `expr:"status"`
	Depth     int               `expr:"depth"`
	MediaType string            `expr:"media_type"`
	Bytes     int               `expr:"bytes"`
	Header    map[string]string `expr:"header"` // lower-case names
	Body      string            `expr:"body"`
	InScope   bool              `expr:"in_scope"`
	Rows      int               `expr:"rows"`
	Links     int               `expr:"links"`
	Row       map[string]any    `expr:"row"`

	RequestURL string `expr:"request_url"` // before redirects
	// PageNumber counts the pages of a pagination from 1, or is the number that
	// its parameter holds; Offset and Cursor are what the next request sends.
	PageNumber int    `expr:"page_number"`
	Offset     int    `expr:"offset"`
	Cursor     string `expr:"cursor"`
	Link       string `expr:"link"` // what a follow rule's source found

	// A log-in knows what it logs in with, and what its earlier answers said.
	Username string         `expr:"username"`
	Password string         `expr:"password"`
	OTP      string         `expr:"otp"`
	Read     map[string]any `expr:"read"`

	// Budget is set by Eval.
	Budget *Budget `expr:"_budget"`
}

// Uses says which costly parts of Env an expression reads.
type Uses struct {
	Header, Body, Row bool
	// Password and OTP are true when it reads a log-in's password, or its
	// one-time code.
	Password, OTP bool
	// Page is true when it reads anything besides params and functions.
	Page bool
	// Found is true when it reads what a follow rule or a pagination found.
	Found bool
	// Budget is true when its cost is counted while it runs.
	Budget bool
}

// Expr is a compiled expression. It does no I/O and its cost is bounded: by
// its size, by a budget of values, and by the ban on loops within loops. Safe
// for concurrent use.
type Expr struct {
	Uses    Uses
	Source  string
	program *vm.Program
	raw     bool // the outermost call is raw(…)
}

var vms = sync.Pool{New: func() any { return &vm.VM{MemoryBudget: exprMemory} }}

// Eval returns the expression's value.
func (e *Expr) Eval(env *Env) (any, error) {
	m := vms.Get().(*vm.VM)
	defer vms.Put(m)
	if e.Uses.Budget {
		own := *env
		own.Budget = newBudget()
		env = &own
	}
	v, err := m.Run(e.program, env)
	if err == nil {
		err = small(v)
	}
	if err != nil {
		return nil, fmt.Errorf("expression %q: %s", clip(e.Source, 200), firstLine(err))
	}
	return v, nil
}

// small refuses a value that is too large when it is written down.
func small(v any) error {
	switch v.(type) {
	case nil, bool, int, int64, float64, string:
		return nil
	}
	return newBudget().fit(v, 1)
}

// constant returns the value of an expression that is a whole number.
func (e *Expr) constant() (int, bool) {
	n, ok := e.program.Node().(*ast.IntegerNode)
	if !ok {
		return 0, false
	}
	return n.Value, true
}

// True evaluates a condition. A nil expression holds.
func (e *Expr) True(env *Env) (bool, error) {
	if e == nil {
		return true, nil
	}
	v, err := e.Eval(env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("expression %q gave %v; a condition gives true or false", e.Source, v)
	}
	return b, nil
}

// names are the declared members of task, params, functions and row, for
// messages about the undeclared ones. row has the fields of every kind of page,
// since a row may be carried from one to another.
type names struct {
	task, params, functions, row []string
	// login is true in the account block, whose expressions know no task but
	// what a log-in knows; read are the values that it reads.
	login bool
	read  []string
}

// of returns the members of a variable and what one is called; "": it is no
// variable whose members are declared.
func (n *names) of(variable string) (known []string, kind string) {
	switch variable {
	case "task":
		return n.task, "task"
	case "params":
		return n.params, "param"
	case "functions":
		return n.functions, "function"
	case "row":
		return n.row, "field"
	case "read":
		return n.read, "value"
	}
	return nil, ""
}

// exprError is a compile error with the offset in the expression, from 0.
type exprError struct {
	offset int
	msg    string
}

func (e *exprError) Error() string { return e.msg }

// compileExpr compiles source. want is "bool" for conditions, else "".
func compileExpr(source, want string, known *names) (*Expr, error) {
	if len(source) > maxExprSource {
		return nil, &exprError{0, fmt.Sprintf("the expression has %d characters; the most is %d", len(source), maxExprSource)}
	}
	check := &exprCheck{known: known}
	opts := []expr.Option{expr.Env(&Env{}), expr.MaxNodes(maxExprNodes), expr.Optimize(true), expr.Patch(check),
		expr.DisableBuiltin("now"), expr.DisableBuiltin("repeat"), expr.DisableBuiltin("reduce")}
	opts = append(append(opts, exprFunctions...), guards...)
	if want == "bool" {
		opts = append(opts, expr.AsBool())
	}
	program, err := expr.Compile(source, opts...)
	if check.err != nil {
		return nil, check.err
	}
	if err != nil {
		if fe, ok := errors.AsType[*file.Error](err); ok {
			return nil, &exprError{fe.Column, explain(fe.Message, known)}
		}
		return nil, &exprError{0, firstLine(err)}
	}
	e := &Expr{Source: source, program: program, Uses: check.uses}
	if call, ok := program.Node().(*ast.CallNode); ok {
		if id, ok := call.Callee.(*ast.IdentifierNode); ok && id.Value == "raw" {
			e.raw = true
		}
	}
	return e, nil
}

func explain(msg string, known *names) string {
	name, ok := strings.CutPrefix(msg, "unknown name ")
	switch {
	case ok && known != nil && known.login:
		return unknown("name", name, "the account block", slices.Concat(loginNames, answerNames))
	case ok:
		return unknown("name", name, "the expression", envNames)
	}
	return msg
}

// loginNames are what only the account block's expressions can read, and
// answerNames what they can read besides.
var (
	loginNames  = []string{"username", "password", "otp", "read"}
	answerNames = []string{"url", "request_url", "status", "media_type", "bytes", "header", "body"}
)

// misplaced says that a name of the language is not known where it stands;
// empty: it is.
func (n *names) misplaced(name string) string {
	switch {
	case n == nil:
		return ""
	case slices.Contains(loginNames, name) && !n.login:
		return unknown("name", name, "the expression", envNames)
	case slices.Contains(envNames, name) && n.login && !slices.Contains(answerNames, name):
		return unknown("name", name, "the account block", slices.Concat(loginNames, answerNames))
	}
	return ""
}

var envNames = []string{"task", "params", "functions", "url", "status", "depth", "media_type", "bytes", "header", "body",
	"in_scope", "rows", "links", "row", "request_url", "page_number", "offset", "cursor", "link"}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// exprCheck walks an expression at compile time.
type exprCheck struct {
	known *names
	uses  Uses
	err   error
}

// Visit is called for every node, children first.
func (c *exprCheck) Visit(node *ast.Node) {
	c.guard(node)
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		c.note(n.Value)
		if msg := c.known.misplaced(n.Value); msg != "" {
			c.fail(n, "%s", msg)
		}
	case *ast.MemberNode:
		c.member(n)
	case *ast.PredicateNode:
		inner := loopFinder{}
		ast.Walk(&n.Node, &inner)
		if inner.found {
			c.fail(n, "a loop within a loop is not allowed; its cost would have no bound")
		}
		c.guardLoop(n)
	case *ast.BinaryNode:
		if n.Operator == ".." {
			c.bounds(n)
		}
	}
}

func (c *exprCheck) note(name string) {
	switch name {
	case "params", "functions":
		return
	case "header":
		c.uses.Header = true
	case "body":
		c.uses.Body = true
	case "row":
		c.uses.Row = true
	case "password":
		c.uses.Password = true
	case "otp":
		c.uses.OTP = true
	case "link", "cursor", "offset":
		c.uses.Found = true
	}
	if slices.Contains(envNames, name) {
		c.uses.Page = true
	}
}

func (c *exprCheck) member(n *ast.MemberNode) {
	id, ok := n.Node.(*ast.IdentifierNode)
	prop, ok2 := n.Property.(*ast.StringNode)
	if !ok || !ok2 || c.known == nil {
		return
	}
	if known, kind := c.known.of(id.Value); kind != "" && !slices.Contains(known, prop.Value) {
		c.fail(n, "%s", unknown(kind, prop.Value, "the expression", known))
	}
}

func (c *exprCheck) bounds(n *ast.BinaryNode) {
	to, ok := n.Right.(*ast.IntegerNode)
	if _, from := n.Left.(*ast.IntegerNode); !ok || !from || to.Value > 10_000 {
		c.fail(n, "a range needs constant bounds of at most 10000")
	}
}

func (c *exprCheck) fail(n ast.Node, format string, args ...any) {
	if c.err == nil {
		c.err = &exprError{n.Location().From, fmt.Sprintf(format, args...)}
	}
}

type loopFinder struct{ found bool }

// Visit notes a predicate below the one being checked.
func (l *loopFinder) Visit(n *ast.Node) {
	if _, ok := (*n).(*ast.PredicateNode); ok {
		l.found = true
	}
}
