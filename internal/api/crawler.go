package api

import (
	"net/http"

	"shoal"
)

// wireCrawler is a crawler in a list; wireCrawlerDetail adds what it takes and gives.
type wireCrawler struct {
	ID             shoal.CrawlerID `json:"id"`
	Object         string          `json:"object"`
	Name           string          `json:"name"`
	Slug           string          `json:"slug"`
	Description    string          `json:"description"`
	Icon           string          `json:"icon"`
	IsPublic       bool            `json:"is_public"`
	IsAvailable    bool            `json:"is_available"`
	IsPremium      bool            `json:"is_premium"`
	HasIssues      bool            `json:"has_issues"`
	Issue          orNull          `json:"issue"`
	MaxConcurrency int             `json:"max_concurrency"`
	CreditsPerRow  credits         `json:"credits_per_row"`
	Account        *crawlerAccount `json:"account"`
}

type crawlerAccount struct {
	Type    string          `json:"type"`
	BaseURL string          `json:"baseurl"`
	Cookies []accountCookie `json:"cookies"`
	Icon    string          `json:"icon"`
}

type wireCrawlerDetail struct {
	wireCrawler
	Input   []wireInput `json:"input"`
	Result  []string    `json:"result"`
	Version int         `json:"version"`
	// Definition is an own crawler's text.
	Definition *string `json:"definition"`
}

type wireInput struct {
	Name               string   `json:"name"`
	Type               string   `json:"type"`
	Level              string   `json:"level"`
	Required           bool     `json:"required"`
	Default            any      `json:"default"`
	Example            any      `json:"example"`
	Description        string   `json:"description"`
	Regex              orNull   `json:"regex"`
	Allowed            []any    `json:"allowed"`
	Max                *float64 `json:"max"`
	Min                *float64 `json:"min"`
	Group              orNull   `json:"group"`
	Function           bool     `json:"function"`
	CreditsPerFunction *credits `json:"credits_per_function"`
	IsParams           bool     `json:"is_params"`
	IsDetails          bool     `json:"is_details"`
	Display            orNull   `json:"display"`
	Priority           int      `json:"priority"`
}

func showCrawler(v *shoal.Crawler) wireCrawler {
	w := wireCrawler{
		ID: v.ID, Object: "crawler", Name: v.Name, Slug: v.Slug, Description: v.Description, Icon: v.Icon,
		IsPublic: v.IsPublic, IsAvailable: v.IsAvailable, IsPremium: v.IsPremium, HasIssues: v.HasIssues, Issue: orNull(v.Issue),
		MaxConcurrency: v.MaxConcurrency, CreditsPerRow: credits(v.CreditsPerRow),
	}
	if t := v.Account; t != nil {
		w.Account = &crawlerAccount{Type: t.Slug, BaseURL: t.BaseURL, Cookies: showCookies(t.Cookies), Icon: t.Icon}
	}
	return w
}

func showInput(in *shoal.Input) wireInput {
	w := wireInput{
		Name: in.Name, Type: string(in.Type), Level: string(in.Level), Required: in.Required,
		Default: in.Default, Example: in.Example, Description: in.Description, Regex: orNull(in.Regex),
		Allowed: in.Allowed, Max: in.Max, Min: in.Min, Group: orNull(in.Group), Function: in.Function,
		IsParams: in.IsParams, IsDetails: in.IsDetails, Display: orNull(in.Display), Priority: in.Priority,
	}
	if in.Function {
		price := credits(in.CreditsPerFunction)
		w.CreditsPerFunction = &price
	}
	return w
}

// listCrawlers lists all of them unless a limit is given: clients look names
// up in this list.
func (a *API) listCrawlers(c *call) error {
	all, err := a.catalogue.List(c.ctx(), c.ws)
	if err != nil {
		return err
	}
	return sendAll(c, all, func(b []byte, v *shoal.Crawler) []byte { return appendJSON(b, showCrawler(v)) })
}

// sendAll answers with a list that is at hand: all of it, or the page asked for.
func sendAll[T any](c *call, all []T, item func([]byte, *T) []byte) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	if !q.Has("limit") && !q.Has("page_size") {
		w.Limit = max(len(all), defaultLimit)
	}
	from := min(w.Offset(), int64(len(all)))
	to := min(from+int64(w.Limit), int64(len(all)))
	return sendList(c, shoal.Listing[T]{Total: int64(len(all)), Items: all[from:to]}, w, item)
}

// crawler finds the crawler of the path, by id or slug.
func (c *call) crawler() (*shoal.Crawler, error) {
	p, err := c.lookup(c.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return p.Info(), nil
}

func (a *API) getCrawler(c *call) error {
	info, err := c.crawler()
	if err != nil {
		return err
	}
	if info.WorkspaceID == "" {
		return c.json(http.StatusOK, showDetail(info, nil))
	}
	own, err := a.store.Crawler(c.ctx(), c.ws, string(info.ID))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, showDetail(info, own.Version.Definition))
}

// showDetail shows a crawler in full; definition is an own one's text.
func showDetail(info *shoal.Crawler, definition []byte) wireCrawlerDetail {
	w := wireCrawlerDetail{wireCrawler: showCrawler(info), Input: []wireInput{}, Result: []string{}, Version: info.Version}
	if definition != nil {
		text := string(definition)
		w.Definition = &text
	}
	for i := range info.Input {
		w.Input = append(w.Input, showInput(&info.Input[i]))
	}
	for _, at := range info.Result {
		w.Result = append(w.Result, at.Name)
	}
	return w
}

type wireTaskParam struct {
	Type      string `json:"type"`
	Group     orNull `json:"group"`
	Regex     orNull `json:"regex"`
	Default   any    `json:"default"`
	Required  bool   `json:"required"`
	Attribute string `json:"attribute"`
	IsParams  bool   `json:"is_params"`
}

type wireSquidParam struct {
	Type      string `json:"type"`
	Allowed   []any  `json:"allowed"`
	Default   any    `json:"default"`
	Required  bool   `json:"required"`
	Attribute string `json:"attribute"`
	IsParams  bool   `json:"is_params"`
}

type wireFunction struct {
	Sort               int     `json:"sort"`
	Default            bool    `json:"default"`
	CreditsPerFunction credits `json:"credits_per_function"`
}

func (a *API) crawlerParams(c *call) error {
	info, err := c.crawler()
	if err != nil {
		return err
	}
	task, squid, functions := map[string]wireTaskParam{}, map[string]any{}, map[string]wireFunction{}
	for _, in := range info.Input {
		switch {
		case in.Function:
		case in.Level == shoal.LevelTask:
			task[in.Name] = wireTaskParam{string(in.Type), orNull(in.Group), orNull(in.Regex), in.Default, in.Required, in.Name, in.IsParams}
		default:
			squid[in.Name] = wireSquidParam{string(in.Type), in.Allowed, in.Default, in.Required, in.Name, in.IsParams}
		}
	}
	for _, f := range info.Functions {
		functions[f.Name] = wireFunction{f.Sort, f.Default, credits(f.Credits)}
	}
	squid["functions"] = functions
	return c.json(http.StatusOK, map[string]any{"task": task, "squid": squid})
}

type wireAttribute struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Example     any    `json:"example"`
	Function    string `json:"function"`
	IsMain      bool   `json:"is_main"`
	Description string `json:"description"`
}

// showAttribute shows an attribute as clients group them: main ones are always
// collected and belong to the core step, the others to the function that is to be on.
func showAttribute(at *shoal.Attribute) wireAttribute {
	w := wireAttribute{at.Name, string(at.Type), at.Example, at.Function, at.Function == "", at.Description}
	if w.IsMain {
		w.Function = shoal.BaseFunction
	}
	return w
}

// crawlerAttributes is public for public crawlers. A private one is not there
// for who does not come with its owner's key.
func (a *API) crawlerAttributes(c *call) error {
	if len(c.r.Header["Authorization"]) > 0 || c.ctx().Value(embeddedKey{}) != nil {
		c.route = &route{path: c.route.path, scope: shoal.ScopeRead}
		if err := c.authenticate(); err != nil {
			return err
		}
	}
	info, err := c.crawler()
	if err != nil {
		return err
	}
	data := []wireAttribute{}
	for _, at := range info.Result {
		data = append(data, showAttribute(&at))
	}
	return c.json(http.StatusOK, struct {
		Data []wireAttribute `json:"data"`
	}{data})
}
