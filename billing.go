package shoal

import "time"

// Credits counts micro-credits: 1,000,000 are one credit.
type Credits int64

// Unlimited is how a balance without a limit appears on the wire, in credits.
const Unlimited = 1_000_000_000_000

// CreditsOf returns n credits.
func CreditsOf(n float64) Credits {
	if n < 0 {
		return -CreditsOf(-n)
	}
	return Credits(n*1e6 + 0.5)
}

// Float returns c in credits.
func (c Credits) Float() float64 { return float64(c) / 1e6 }

// Plan is what a workspace may use. A workspace copies its plan's terms when
// the plan is assigned, and again when a period begins.
type Plan struct {
	ID       PlanID
	Name     string  // unique; does not change
	Credits  Credits // of a period; negative: unlimited
	Interval string  // monthly or daily
	// RolloverMax is how many unspent credits of a period go over into the next
	// one at most; 0: none, negative: all.
	RolloverMax Credits
	// RolloverDays is how long they last, at most until the next period ends; 0: until then.
	RolloverDays int
	Slots        int // 0: unlimited
	// ForceLaunch lets people start a run although its slots are not free.
	ForceLaunch bool
	Premium     bool // includes premium crawlers
	CreatedAt   time.Time
}

// Balance is a workspace's plan and what is left of it.
type Balance struct {
	WorkspaceID       WorkspaceID
	PlanName          string
	Available         Credits // to spend in the period, rollover and bonus included; negative: unlimited
	Consumed          Credits // in the period
	Bonus             Credits // of Available
	Rollover          Credits // of Available
	RolloverExpiresAt time.Time
	Interval          string // monthly or daily
	UsedSlots         int    // that running runs hold
	TotalSlots        int    // 0: unlimited
	HasUnpaidBill     bool   // an invoice is overdue
	ResetTime         time.Time
}

// CreditEntry is a movement of a workspace's credits other than their
// consumption: an allowance, a rollover, an expiry or a grant.
type CreditEntry struct {
	Workspace WorkspaceID
	Kind      string
	Pool      string
	Credits   Credits // what the balance gained
	At        time.Time
	Actor     string
	Note      string
}

// Invoice is a demand for payment. Shoal takes no money: an operator records
// what was paid.
type Invoice struct {
	ID        InvoiceID
	Workspace WorkspaceID
	Number    string // for people: INV-000042
	// CrawlerID is the private crawler whose maintenance the invoice is for;
	// empty: an invoice for the plan.
	CrawlerID   CrawlerID
	Cents       int64
	Currency    string // ISO 4217
	Note        string
	CreatedAt   time.Time
	DueAt       time.Time
	PaidAt      time.Time // zero: not paid
	CancelledAt time.Time // zero: in force
}

// Status is paid, cancelled, overdue or open at now.
func (i *Invoice) Status(now time.Time) string {
	switch {
	case !i.CancelledAt.IsZero():
		return "cancelled"
	case !i.PaidAt.IsZero():
		return "paid"
	case !now.Before(i.DueAt):
		return "overdue"
	}
	return "open"
}

// BaseFunction names a run's core step in the ledger, beside its add-ons.
const BaseFunction = "base"

// FunctionCredits is what one function of a run cost.
type FunctionCredits struct {
	Function string
	Credits  Credits
	Attempts int64 // rows it filled
}

// Usage is what a crawler, a squid or a run cost within some days.
type Usage struct {
	ID        string // of the crawler, squid or run
	Name      string // of the squid
	CrawlerID CrawlerID
	IsDeleted bool // the squid is
	Runs      int64
	Credits   Credits
	Results   int64 // rows charged
	Functions []FunctionCredits
	LastAt    time.Time // last charge
}
