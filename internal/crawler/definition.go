package crawler

// The structs of this file are the language: one field per key, in the order
// in which messages list them. What a key means stands at its compiled
// counterpart in program.go.

type definition struct {
	at
	Slug           text             `yaml:"slug"`
	Name           text             `yaml:"name"`
	Description    string           `yaml:"description"`
	Icon           text             `yaml:"icon"`
	Version        int              `yaml:"version"`
	Domain         string           `yaml:"domain"`
	Premium        bool             `yaml:"premium"`
	CreditsPerRow  *float64         `yaml:"credits_per_row"`
	MaxConcurrency scalar           `yaml:"max_concurrency"`
	ErrorBudget    scalar           `yaml:"error_budget"`
	Input          []inputDef       `yaml:"input"`
	Fetch          fetchDef         `yaml:"fetch"`
	Start          many[startDef]   `yaml:"start"`
	Pages          ordered[pageDef] `yaml:"pages"`
	Since          text             `yaml:"since"`
	NewestFirst    bool             `yaml:"newest_first"`
	Detect         []detectDef      `yaml:"detect"`
	Tests          []testDef        `yaml:"tests"`
}

type inputDef struct {
	at
	Name               text     `yaml:"name"`
	Level              text     `yaml:"level"`
	Type               text     `yaml:"type"`
	Required           bool     `yaml:"required"`
	Default            scalar   `yaml:"default"`
	Example            scalar   `yaml:"example"`
	Description        string   `yaml:"description"`
	Display            string   `yaml:"display"`
	Group              string   `yaml:"group"`
	Regex              text     `yaml:"regex"`
	Form               text     `yaml:"form"`
	Allowed            scalar   `yaml:"allowed"`
	Min                *float64 `yaml:"min"`
	Max                *float64 `yaml:"max"`
	Function           bool     `yaml:"function"`
	CreditsPerFunction *float64 `yaml:"credits_per_function"`
	IsDetails          bool     `yaml:"is_details"`
	Priority           int      `yaml:"priority"`
}

type fetchDef struct {
	at
	Robots          *bool         `yaml:"robots"`
	Why             string        `yaml:"why"`
	Delay           text          `yaml:"delay"`
	HostConcurrency int           `yaml:"host_concurrency"`
	Header          ordered[text] `yaml:"header"`
	MaxBytes        text          `yaml:"max_bytes"`
	Timeout         text          `yaml:"timeout"`
	Retries         *int          `yaml:"retries"`
}

type startDef struct {
	at
	When   text          `yaml:"when"`
	URL    text          `yaml:"url"`
	Page   text          `yaml:"page"`
	Method text          `yaml:"method"`
	Header ordered[text] `yaml:"header"`
	Body   text          `yaml:"body"`
}

type pageDef struct {
	at
	Format text        `yaml:"format"`
	Status text        `yaml:"status"`
	Follow []followDef `yaml:"follow"`
	Rows   *rowsDef    `yaml:"rows"`
	Stop   []stopDef   `yaml:"stop"`
	Detect []detectDef `yaml:"detect"`
}

type followDef struct {
	at
	Select   text          `yaml:"select"`
	Attr     text          `yaml:"attr"`
	Match    text          `yaml:"match"`
	URL      text          `yaml:"url"`
	Page     text          `yaml:"page"`
	When     text          `yaml:"when"`
	Carry    text          `yaml:"carry"`
	Scope    text          `yaml:"scope"`
	Traps    text          `yaml:"traps"`
	Include  text          `yaml:"include"`
	Exclude  text          `yaml:"exclude"`
	Skip     []string      `yaml:"skip"`
	MaxDepth text          `yaml:"max_depth"`
	Method   text          `yaml:"method"`
	Header   ordered[text] `yaml:"header"`
	Body     text          `yaml:"body"`
}

type rowsDef struct {
	at
	Each    text              `yaml:"each"`
	Key     many[text]        `yaml:"key"`
	Extends text              `yaml:"extends"`
	Where   text              `yaml:"where"`
	Fields  ordered[fieldDef] `yaml:"fields"`
}

type fieldDef struct {
	at
	Select      text            `yaml:"select"`
	Attr        text            `yaml:"attr"`
	From        text            `yaml:"from"`
	Path        text            `yaml:"path"`
	Value       text            `yaml:"value"`
	Match       text            `yaml:"match"`
	Replace     []replaceDef    `yaml:"replace"`
	Split       text            `yaml:"split"`
	Map         ordered[scalar] `yaml:"map"`
	List        bool            `yaml:"list"`
	Unique      bool            `yaml:"unique"`
	Keep        text            `yaml:"keep"`
	As          text            `yaml:"as"`
	Format      text            `yaml:"format"`
	Default     scalar          `yaml:"default"`
	Required    bool            `yaml:"required"`
	Function    text            `yaml:"function"`
	Main        bool            `yaml:"main"`
	Example     scalar          `yaml:"example"`
	Description string          `yaml:"description"`
}

type replaceDef struct {
	at
	Match text   `yaml:"match"`
	With  string `yaml:"with"`
}

type stopDef struct {
	at
	When text `yaml:"when"`
}

type detectDef struct {
	at
	When   text `yaml:"when"`
	Reason text `yaml:"reason"`
}

// testDef is a recorded test, run offline by `shoal crawler test`.
type testDef struct {
	at
	// Task gives the task's params.
	Task ordered[anything] `yaml:"task"`
	// Params gives the squid's params and functions; left out, their defaults hold.
	Params ordered[anything] `yaml:"params"`
	// Replay is the recording (a HAR file) that answers the requests, as a path
	// relative to this file. `shoal crawler record` makes one.
	Replay text `yaml:"replay"`
	// Pages is the most requests to make, for a recording that does not hold
	// the whole site.
	Pages int `yaml:"pages"`
	// Rows says what rows must come out.
	Rows *testRowsDef `yaml:"rows"`
}

// testRowsDef says what rows a test must give.
type testRowsDef struct {
	at
	// Min is the fewest rows.
	Min int `yaml:"min"`
	// Max is the most rows.
	Max int `yaml:"max"`
	// First gives fields of the first row with their values. Fields that are not
	// named may have any; null says that there must be none.
	First ordered[anything] `yaml:"first"`
	// All gives every row, in order, each as first does.
	All []ordered[anything] `yaml:"all"`
}
