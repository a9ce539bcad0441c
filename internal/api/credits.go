package api

import (
	"net/http"
	"time"

	"shoal"
)

// wireUsage says what was spent within some days, and for what.
type wireUsage[T any] struct {
	Object       string  `json:"object"`
	Days         int     `json:"days"`
	Since        stamp   `json:"since"`
	TotalCredits credits `json:"total_credits"`
	TotalResults int64   `json:"total_results"`
	Data         []T     `json:"data"`
}

// spent is what a crawler, a squid or a run cost.
type spent struct {
	Runs      int64             `json:"runs"`
	Credits   credits           `json:"credits"`
	Results   int64             `json:"results"`
	LastAt    stamp             `json:"last_charge_at"`
	Breakdown []functionCredits `json:"breakdown"`
}

type wireModule struct {
	Crawler shoal.CrawlerID `json:"crawler"`
	Name    string          `json:"crawler_name"`
	spent
}

type wireSquidUsage struct {
	Squid     string          `json:"squid"`
	Name      string          `json:"name"`
	Crawler   shoal.CrawlerID `json:"crawler"`
	Module    string          `json:"crawler_name"`
	IsDeleted bool            `json:"is_deleted"`
	spent
}

type wireRunUsage struct {
	ID         shoal.RunID     `json:"id"`
	Object     string          `json:"object"`
	Status     shoal.RunStatus `json:"status"`
	DoneReason orNull          `json:"done_reason"`
	CreatedAt  stamp           `json:"created_at"`
	EndedAt    stamp           `json:"ended_at"`
	spent
}

func spentOn(u *shoal.Usage) spent {
	s := spent{Runs: u.Runs, Credits: credits(u.Credits), Results: u.Results, LastAt: stamp(u.LastAt), Breakdown: []functionCredits{}}
	for _, f := range u.Functions {
		s.Breakdown = append(s.Breakdown, functionCredits{f.Function, credits(f.Credits), f.Attempts})
	}
	return s
}

// The days that are summed up unless others are asked for, and the most.
const defaultDays, maxDays = 30, 366

// days reads how many days are asked for and when the first of them begins:
// days are those of UTC, and today is the last.
func (c *call) days() (n int, since time.Time, err error) {
	q, err := c.query()
	if err != nil {
		return 0, since, err
	}
	if n, err = whole(q, "days", defaultDays, 1, maxDays); err != nil {
		return 0, since, err
	}
	y, m, d := c.a.now().UTC().Date()
	return n, time.Date(y, m, d-n+1, 0, 0, 0, 0, time.UTC), nil
}

// crawlerName returns a crawler's name, or "" when it is not here any more.
func (c *call) crawlerName(id shoal.CrawlerID) string {
	p, err := c.lookup(string(id))
	if err != nil {
		return ""
	}
	return p.Info().Name
}

func (a *API) moduleCredits(c *call) error {
	n, since, err := c.days()
	if err != nil {
		return err
	}
	list, err := a.store.CrawlerUsage(c.ctx(), c.ws, since)
	if err != nil {
		return err
	}
	out := wireUsage[wireModule]{Object: "credits", Days: n, Since: stamp(since), Data: []wireModule{}}
	for i := range list {
		u := &list[i]
		out.TotalCredits, out.TotalResults = out.TotalCredits+credits(u.Credits), out.TotalResults+u.Results
		out.Data = append(out.Data, wireModule{u.CrawlerID, c.crawlerName(u.CrawlerID), spentOn(u)})
	}
	return c.json(http.StatusOK, out)
}

func (a *API) squidsCredits(c *call) error {
	n, since, err := c.days()
	if err != nil {
		return err
	}
	list, err := a.store.SquidUsage(c.ctx(), c.ws, since)
	if err != nil {
		return err
	}
	out := wireUsage[wireSquidUsage]{Object: "credits", Days: n, Since: stamp(since), Data: []wireSquidUsage{}}
	for i := range list {
		u := &list[i]
		out.TotalCredits, out.TotalResults = out.TotalCredits+credits(u.Credits), out.TotalResults+u.Results
		out.Data = append(out.Data, wireSquidUsage{u.ID, u.Name, u.CrawlerID, c.crawlerName(u.CrawlerID), u.IsDeleted, spentOn(u)})
	}
	return c.json(http.StatusOK, out)
}

func (a *API) squidCredits(c *call) error {
	id, err := id32[shoal.SquidID](c, shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	total, results, err := a.store.SquidCost(c.ctx(), c.ws, id)
	if err != nil {
		return err
	}
	l, err := a.store.Runs(c.ctx(), c.ws, id, w)
	if err != nil {
		return err
	}
	cost, err := a.store.RunsUsage(c.ctx(), c.ws, l.Items)
	if err != nil {
		return err
	}
	b := append(c.buf[:0], `{"squid":"`...)
	b = append(append(b, id...), `","total_credits":`...)
	b = append(appendCredits(b, total), `,"charged_results":`...)
	b = append(appendJSON(b, results), ',')
	c.buf = b
	return sendListAfter(c, l, w, func(b []byte, r *shoal.Run) []byte {
		u := cost[r.ID]
		u.Runs = 1
		return appendJSON(b, wireRunUsage{r.ID, "run", r.Status, orNull(r.DoneReason), stamp(r.CreatedAt), stamp(r.EndedAt), spentOn(&u)})
	})
}

type wireEntry struct {
	Object  string  `json:"object"`
	Kind    string  `json:"kind"`
	Pool    string  `json:"pool"`
	Credits credits `json:"credits"`
	At      stamp   `json:"at"`
	Note    string  `json:"note"`
}

// creditEntries lists the movements of the caller's credits.
func (a *API) creditEntries(c *call) error { return a.entries(c, c.ws) }

func (a *API) entries(c *call, ws shoal.WorkspaceID) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := a.store.CreditEntries(c.ctx(), ws, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, func(b []byte, e *shoal.CreditEntry) []byte {
		return appendJSON(b, wireEntry{"credit_entry", e.Kind, e.Pool, credits(e.Credits), stamp(e.At), e.Note})
	})
}
