package api

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"shoal"
)

// wireFlag is what the operator says of a crawler.
type wireFlag struct {
	Crawler shoal.CrawlerID    `json:"crawler"`
	Object  string             `json:"object"`
	State   shoal.CrawlerState `json:"state"`
	Message orNull             `json:"message"`
	SetAt   stamp              `json:"set_at"`
}

func appendFlag(b []byte, f *shoal.CrawlerFlag) []byte {
	return appendJSON(b, wireFlag{f.Crawler, "crawler_flag", f.State, orNull(f.Message), stamp(f.SetAt)})
}

// listFlags lists the crawlers that are not available.
func (a *API) listFlags(c *call) error {
	flags, err := a.store.CrawlerFlags(c.ctx())
	if err != nil {
		return err
	}
	all := slices.SortedFunc(maps.Values(flags), func(x, y shoal.CrawlerFlag) int { return cmp.Compare(x.Crawler, y.Crawler) })
	return sendAll(c, all, appendFlag)
}

// flagCrawler puts a crawler under maintenance, switches it off, or makes it
// available again. It may be anybody's own one, by its id.
func (a *API) flagCrawler(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("state")
	flag := shoal.CrawlerFlag{State: shoal.CrawlerState(f.text("state")), Message: f.label("message"), SetAt: a.now()}
	switch flag.State {
	case shoal.CrawlerAvailable, shoal.CrawlerMaintenance, shoal.CrawlerOff:
	default:
		f.bad("state", "state is %q; it must be available, maintenance or off", clip(string(flag.State), 40))
	}
	if err := f.error(); err != nil {
		return err
	}
	if flag.Crawler, err = c.anyCrawler(c.r.PathValue("id")); err != nil {
		return err
	}
	body := appendFlag(nil, &flag)
	if err := a.store.FlagCrawler(effectCtx(c, http.StatusOK, func(any) []byte { return body }), flag); err != nil {
		return err
	}
	a.log.Info("crawler flagged", "crawler", string(flag.Crawler), "state", string(flag.State), "by", string(c.key.UserID))
	return c.send(http.StatusOK, body)
}

// anyCrawler finds a crawler that the member of staff may use, or anybody's own by its id.
func (c *call) anyCrawler(idOrSlug string) (shoal.CrawlerID, error) {
	p, err := c.lookup(idOrSlug)
	if err == nil {
		return p.Info().ID, nil
	}
	if !shoal.ValidID(idOrSlug) {
		return "", err
	}
	return shoal.CrawlerID(idOrSlug), c.a.store.CrawlerExists(c.ctx(), shoal.CrawlerID(idOrSlug))
}
