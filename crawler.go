package shoal

import "time"

// Crawler describes a crawler to people and clients: what it takes, what it
// returns and what it costs. The compiled program behind it is
// internal/crawler's.
type Crawler struct {
	ID          CrawlerID
	WorkspaceID WorkspaceID // empty: built in or from the operator's directory, visible to all
	Slug        string
	Name        string
	Description string
	Icon        string // data URI, may be empty
	Domain      string // the site it is made for; empty: any site
	Version     int
	Digest      string // hex SHA-256 of the definition's bytes
	IsPublic    bool
	IsAvailable bool
	IsPremium   bool
	HasIssues   bool
	// Maintenance says that the operator has its runs wait. Not available
	// without it: switched off, and its runs end.
	Maintenance bool
	Issue       string // why it has issues or is switched off, a sentence; else empty
	// MaxConcurrency is the most slots one run may hold.
	MaxConcurrency int
	CreditsPerRow  Credits
	// Account is the log-in that the crawler works with, nil: none of its own.
	Account *AccountType
	// AccountRequired says that nothing runs without a linked account.
	AccountRequired bool
	Input           []Input
	Result          []Attribute
	// Key names the fields that tell one result from another; those of all its
	// pages when they differ.
	Key []string
	// Functions are the optional paid add-ons, in the definition's order.
	Functions []Function
	CreatedAt time.Time
}

// InputLevel says whether an input belongs to each task or to the squid.
type InputLevel string

// The levels of an input.
const (
	LevelTask  InputLevel = "task"
	LevelSquid InputLevel = "squid"
)

// ParamType is the type of an input's value.
type ParamType string

// The types of an input's value.
const (
	TypeString  ParamType = "string"
	TypeInt     ParamType = "int"
	TypeFloat   ParamType = "float"
	TypeBoolean ParamType = "boolean"
	TypeArray   ParamType = "array"
)

// Input is one input of a crawler. Allowed, Regex, Min, Max and MaxLength bound
// its value; nil or empty means unbounded.
type Input struct {
	Name        string
	Level       InputLevel
	Type        ParamType
	Required    bool
	Default     any // string, int64, float64, bool, []any or nil
	Example     any
	Description string
	Display     string
	Group       string
	Regex       string
	Allowed     []any
	Min, Max    *float64
	// Function is true when the input switches an optional paid add-on.
	Function           bool
	CreditsPerFunction Credits
	IsParams           bool
	IsDetails          bool
	Priority           int
}

// AttributeType is the type of a result's field on the wire.
type AttributeType string

// The types of a result's field.
const (
	AttrString  AttributeType = "string"
	AttrInteger AttributeType = "integer"
	AttrFloat   AttributeType = "float"
	AttrBoolean AttributeType = "boolean"
	AttrText    AttributeType = "text"
	AttrJSON    AttributeType = "json"
)

// Attribute is one field of a crawler's results. A field named like one of
// the envelope's own (id, object, squid, run, task, scraping_time) already
// carries the prefix "result_" here and in stored rows.
type Attribute struct {
	Name        string
	Type        AttributeType
	Example     any
	Function    string // the add-on that fills it; empty: always
	IsMain      bool
	Description string
}

// Function is an optional paid add-on of a crawler.
type Function struct {
	Name    string
	Display string
	Default bool
	Credits Credits // for each row it filled
	Sort    int
}

// CrawlerVersion is one immutable definition; a run keeps the one it started with.
type CrawlerVersion struct {
	PK         int64
	CrawlerID  CrawlerID
	Slug       string
	Version    int
	Digest     string
	Definition []byte // YAML or JSON as it was given
	CreatedAt  time.Time
}

// CrawlerState is what the operator says of a crawler.
type CrawlerState string

// The states of a crawler.
const (
	CrawlerAvailable   CrawlerState = "available"
	CrawlerMaintenance CrawlerState = "maintenance" // its runs wait until it is available again
	CrawlerOff         CrawlerState = "off"         // its runs end, and none begins
)

// CrawlerFlag is a state of a crawler other than available.
type CrawlerFlag struct {
	Crawler CrawlerID
	State   CrawlerState
	Message string // for people: why, and until when; may be empty
	SetAt   time.Time
}

// OwnCrawler is a crawler that a workspace made for itself, with the version of
// its definition that counts. Only that workspace sees it.
type OwnCrawler struct {
	ID          CrawlerID
	WorkspaceID WorkspaceID
	Version     CrawlerVersion
	CreatedAt   time.Time
	UpdatedAt   time.Time
}
