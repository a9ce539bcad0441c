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

// Balance is a workspace's plan and what is left of it.
type Balance struct {
	WorkspaceID       WorkspaceID
	PlanName          string
	Available         Credits // granted for the period; negative: unlimited
	Consumed          Credits // in the period
	Bonus             Credits
	Rollover          Credits
	RolloverExpiresAt time.Time
	Interval          string // monthly or daily
	UsedSlots         int
	TotalSlots        int // 0: unlimited
	HasUnpaidBill     bool
	ResetTime         time.Time
}

// BaseFunction names a run's core step in the ledger, beside its add-ons.
const BaseFunction = "base"

// FunctionCredits is what one function of a run cost.
type FunctionCredits struct {
	Function string
	Credits  Credits
	Attempts int64 // rows it filled
}
