package shoal

import "time"

// AccountType says what a session on a site consists of.
type AccountType struct {
	ID      string // 32 hex, hashed from the slug
	Slug    string
	Name    string
	Domain  string
	BaseURL string
	Icon    string
	Cookies []AccountCookie
	Params  map[string]AccountLimit
}

// AccountCookie is a cookie that a session must or may have.
type AccountCookie struct {
	Name     string
	Required bool
}

// AccountLimit bounds what an account may be used for in a day.
type AccountLimit struct {
	Max         int64
	Default     int64
	Description string
}

// Account is a logged-in session on a site. Its cookies are sealed and leave
// the store only towards the site.
type Account struct {
	ID         AccountID
	Workspace  WorkspaceID
	TypeID     string
	Username   string // never empty
	StatusCode string // "200" when synchronized
	StatusInfo string // synchronized, cookies_expired, …
	StatusDesc string
	Params     map[string]int64 // limits as set by the user
	SealedJar  []byte           // cookies, sealed
	CreatedAt  time.Time
	UpdatedAt  time.Time
	SyncedAt   time.Time
	Squids     []SquidRef
}

// SquidRef names a squid.
type SquidRef struct {
	ID   SquidID
	Name string
}

// Sync is one synchronization of an account.
type Sync struct {
	ID         SyncID
	Workspace  WorkspaceID
	AccountID  AccountID
	StatusCode int // 100 created, 120 synchronizing, 200 synchronized, 4xx failed
	StatusText string
	CreatedAt  time.Time
}
