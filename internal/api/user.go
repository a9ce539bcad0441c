package api

import (
	"net/http"

	"shoal"
)

type wireUser struct {
	ID             shoal.UserID `json:"id"`
	Object         string       `json:"object"`
	Email          string       `json:"email"`
	FirstName      string       `json:"first_name"`
	LastName       string       `json:"last_name"`
	IsActive       bool         `json:"is_active"`
	DateJoined     stamp        `json:"date_joined"`
	EmailVerified  bool         `json:"email_verified"`
	Plan           []wirePlan   `json:"plan"`
	LoginCount     int          `json:"login_count"`
	ProfileImage   orNull       `json:"profile_image"`
	IsStaff        bool         `json:"is_staff"`
	CreditInterval string       `json:"credit_interval"`
}

// wirePlan is what the workspace is on; the CLI shows its name and status.
type wirePlan struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Interval string `json:"interval"`
}

// planStatus is active unless an invoice is overdue.
func planStatus(b *shoal.Balance) string {
	if b.HasUnpaidBill {
		return "past_due"
	}
	return "active"
}

func (a *API) me(c *call) error {
	u, err := a.store.User(c.ctx(), c.ws, c.key.UserID)
	if err != nil {
		return err
	}
	b, err := a.store.Balance(c.ctx(), c.ws)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, wireUser{
		ID: u.ID, Object: "user", Email: u.Email, FirstName: u.FirstName, LastName: u.LastName,
		IsActive: u.IsActive, DateJoined: stamp(u.DateJoined), EmailVerified: u.EmailVerified,
		Plan: []wirePlan{{b.PlanName, planStatus(&b), b.Interval}}, LoginCount: u.LoginCount, ProfileImage: orNull(u.ProfileImage), IsStaff: u.IsStaff,
		CreditInterval: b.Interval,
	})
}

type wireBalance struct {
	ID                shoal.WorkspaceID `json:"id"`
	Object            string            `json:"object"`
	Name              string            `json:"name"`
	Available         int64             `json:"available"`
	Consumed          int64             `json:"consumed"`
	BonusCredit       int64             `json:"bonus_credit"`
	RolloverCredit    int64             `json:"rollover_credit"`
	RolloverExpiresAt stamp             `json:"rollover_credit_expires_at"`
	Interval          string            `json:"interval"`
	UsedSlots         int64             `json:"used_slots"`
	TotalSlots        int64             `json:"total_available_slots"`
	HasUnpaidBill     bool              `json:"has_unpaid_bill"`
	ResetTime         stamp             `json:"reset_time"`
}

func (a *API) balance(c *call) error {
	b, err := a.store.Balance(c.ctx(), c.ws)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, appendBalance(c.buf[:0], &b))
}

// appendBalance appends a balance, in whole credits: what is used is rounded
// up, so that nothing used looks unused, and what there is is rounded down.
func appendBalance(buf []byte, b *shoal.Balance) []byte {
	w := wireBalance{
		ID: b.WorkspaceID, Object: "plan", Name: b.PlanName, Available: shoal.Unlimited,
		Consumed: wholeCredits(b.Consumed), BonusCredit: int64(b.Bonus / 1e6),
		RolloverCredit: int64(b.Rollover / 1e6), RolloverExpiresAt: stamp(b.RolloverExpiresAt),
		Interval: b.Interval, UsedSlots: int64(b.UsedSlots), TotalSlots: shoal.Unlimited,
		HasUnpaidBill: b.HasUnpaidBill, ResetTime: stamp(b.ResetTime),
	}
	if b.Available >= 0 {
		w.Available = int64(b.Available / 1e6)
	}
	if b.TotalSlots > 0 {
		w.TotalSlots = int64(b.TotalSlots)
	}
	return appendJSON(buf, w)
}

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// healthz says that the process serves.
func (a *API) healthz(c *call) error {
	return c.json(http.StatusOK, health{"ok", a.version})
}

// readyz says that it can do its work: the database answers with the schema
// that this version needs, and the server is not stopping.
func (a *API) readyz(c *call) error {
	if a.stopped() {
		return errStopping
	}
	if err := a.store.Ready(c.ctx()); err != nil {
		a.log.Warn("not ready", "request", c.id, "err", err)
		return &shoal.Error{Kind: shoal.KindUnavailable, Code: "SomethingWentWrong",
			Message: "The database does not answer as it should; the server's log says why"}
	}
	return c.json(http.StatusOK, health{"ready", a.version})
}
