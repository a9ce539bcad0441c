package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"shoal"
)

// wireChain is a squid's chain.
type wireChain struct {
	ID                 shoal.ChainID     `json:"id"`
	TargetModule       chainModule       `json:"target_module"`
	TargetCluster      *chainCluster     `json:"target_cluster"`
	FieldMap           map[string]string `json:"field_map"`
	IsActive           bool              `json:"is_active"`
	Autostart          bool              `json:"autostart"`
	ClusterName        orNull            `json:"cluster_name"`
	ClusterConcurrency int               `json:"cluster_concurrency"`
	CreatedAt          stamp             `json:"created_at"`
	LastHandover       *wireHandover     `json:"last_handover"`
}

// wireHandover is what became of the results of the last run that the chain
// handed over.
type wireHandover struct {
	Run        shoal.RunID         `json:"run"`
	State      shoal.HandoverState `json:"state"`
	Results    int64               `json:"results"`
	Added      int64               `json:"added"`
	Duplicates int64               `json:"duplicates"`
	Lacking    int64               `json:"lacking"`
	Invalid    int64               `json:"invalid"`
	StartedRun orNull              `json:"started_run"`
	Message    orNull              `json:"message"`
	CreatedAt  stamp               `json:"created_at"`
	EndedAt    stamp               `json:"ended_at"`
}

type chainModule struct {
	ID             shoal.CrawlerID `json:"id"`
	PublicName     string          `json:"public_name"`
	Name           string          `json:"name"`
	MaxConcurrency int             `json:"max_concurrency"`
}

type chainCluster struct {
	ID        shoal.SquidID `json:"id"`
	HashValue shoal.SquidID `json:"hash_value"`
	Name      string        `json:"name"`
}

// maxChainDepth is the most squids that one run may lead to, one after the other.
const maxChainDepth = 3

func (c *call) showChain(ch *shoal.Chain) wireChain {
	w := wireChain{ID: ch.ID, TargetModule: chainModule{ID: ch.TargetCrawler}, FieldMap: ch.FieldMap,
		IsActive: ch.IsActive, Autostart: ch.Autostart, ClusterName: orNull(ch.ClusterName),
		ClusterConcurrency: ch.ClusterConcurrency, CreatedAt: stamp(ch.CreatedAt)}
	if p, err := c.lookup(string(ch.TargetCrawler)); err == nil {
		info := p.Info()
		w.TargetModule.PublicName, w.TargetModule.Name, w.TargetModule.MaxConcurrency = info.Name, info.Slug, info.MaxConcurrency
	}
	if ch.TargetSquid != "" {
		w.TargetCluster = &chainCluster{ID: ch.TargetSquid, HashValue: ch.TargetSquid, Name: ch.ClusterName}
		if s, err := c.a.store.Squid(c.ctx(), c.ws, ch.TargetSquid); err == nil {
			w.TargetCluster.Name = s.Name
		}
	}
	if h, err := c.a.store.LastHandover(c.ctx(), c.ws, ch.SquidID); err == nil {
		w.LastHandover = &wireHandover{Run: h.RunID, State: h.State, Results: h.LookedAt, Added: h.Added, Duplicates: h.Duplicates,
			Lacking: h.Lacking, Invalid: h.Invalid, StartedRun: orNull(h.StartedRun), Message: orNull(h.Message),
			CreatedAt: stamp(h.CreatedAt), EndedAt: stamp(h.EndedAt)}
	}
	return w
}

func (a *API) createChain(c *call) error {
	s, err := c.squid()
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("target_module_id", "field_map")
	ch := shoal.Chain{ID: shoal.NewID[shoal.ChainID](), SquidID: s.ID, IsActive: true, Autostart: true,
		ClusterConcurrency: 1, CreatedAt: a.now()}
	if err := c.readChain(f, &s, &ch); err != nil {
		return err
	}
	return c.saveChain(&ch, false, http.StatusCreated)
}

func (a *API) updateChain(c *call) error {
	s, err := c.squid()
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	ch, err := a.store.Chain(c.ctx(), c.ws, s.ID)
	if err != nil {
		return err
	}
	if err := c.readChain(f, &s, &ch); err != nil {
		return err
	}
	return c.saveChain(&ch, true, http.StatusOK)
}

func (c *call) saveChain(ch *shoal.Chain, replace bool, status int) error {
	body := appendJSON(nil, c.showChain(ch))
	ctx := effectCtx(c, status, func(any) []byte { return body })
	if err := c.a.store.SetChain(ctx, c.ws, *ch, replace); err != nil {
		return err
	}
	return c.send(status, body)
}

// readChain reads the fields given into ch and checks the whole.
func (c *call) readChain(f *fields, s *shoal.Squid, ch *shoal.Chain) error {
	was := ch.TargetCrawler
	if f.m["target_module_id"] != nil {
		ch.TargetCrawler = shoal.CrawlerID(f.text("target_module_id"))
	}
	if err := f.error(); err != nil {
		return err
	}
	target, err := c.lookup(string(ch.TargetCrawler))
	if err != nil {
		return err
	}
	ch.TargetCrawler = target.Info().ID
	if was != "" && was != ch.TargetCrawler {
		ch.TargetSquid = "" // one of the new crawler is made at the next hand-over
	}
	ch.IsActive = f.flag("is_active", ch.IsActive)
	ch.Autostart = f.flag("autostart", ch.Autostart)
	if f.has("cluster_name") {
		if ch.ClusterName = strings.TrimSpace(f.text("cluster_name")); len([]rune(ch.ClusterName)) > maxName {
			f.bad("cluster_name", "cluster_name is %d characters long; the most is %d", len([]rune(ch.ClusterName)), maxName)
		}
	}
	ch.ClusterConcurrency = f.integer("cluster_concurrency", ch.ClusterConcurrency, 1, max(1, target.Info().MaxConcurrency))
	c.readFieldMap(f, s, target, ch)
	if err := f.error(); err != nil {
		return err
	}
	return c.checkChainDepth(s, ch)
}

// readFieldMap reads {source_field: target_param} and checks it; one that was
// stored before must suit the target, too.
func (c *call) readFieldMap(f *fields, s *shoal.Squid, target Program, ch *shoal.Chain) {
	if m := f.object("field_map"); m != nil {
		if len(m.m) == 0 {
			f.fail(shoal.Invalid("ParamsNeeded", "field_map", "field_map must name at least one field of the results and the param that takes it"))
		}
		ch.FieldMap = map[string]string{}
		for field := range m.m {
			ch.FieldMap[field] = m.text(field)
		}
		f.take(m)
	}
	source, err := c.lookup(string(s.CrawlerID))
	params, taken := map[string]bool{}, map[string]bool{}
	for _, in := range target.Info().Input {
		params[in.Name] = in.Level == shoal.LevelTask
	}
	for field, param := range ch.FieldMap {
		key := "field_map." + clip(field, 60)
		if !params[param] {
			f.bad(key, "%s is %q, which is no task param of %s", key, clip(param, 60), target.Info().Name)
		}
		if taken[param] {
			f.bad(key, "field_map maps two fields to %q; a task has one value of it", clip(param, 60))
		}
		taken[param] = true
		if err == nil && !hasAttribute(source.Info(), field) {
			f.bad(key, "%s has no result field %q", source.Info().Name, clip(field, 60))
		}
	}
	for _, in := range target.Info().Input {
		if in.Level == shoal.LevelTask && in.Required && in.Default == nil && !taken[in.Name] {
			f.fail(shoal.Invalid("ParamsNeeded", "field_map", "field_map must map a field to %s: every task of %s needs it", in.Name, target.Info().Name))
		}
	}
}

func hasAttribute(info *shoal.Crawler, name string) bool {
	for _, at := range info.Result {
		if at.Name == name {
			return true
		}
	}
	return false
}

// checkChainDepth follows the chains that lead to the squid, and those that go
// on from its target. A chain that leads back, or with which more than
// maxChainDepth squids follow on each other, is refused.
func (c *call) checkChainDepth(s *shoal.Squid, ch *shoal.Chain) error {
	seen := map[shoal.CrawlerID]bool{s.CrawlerID: true}
	depth := 1
	for at := s.ID; ; depth++ {
		before, err := c.a.store.ChainInto(c.ctx(), c.ws, at)
		if errors.Is(err, shoal.ErrChainNotFound) {
			break
		}
		if err != nil {
			return err
		}
		source, err := c.a.store.Squid(c.ctx(), c.ws, before.SquidID)
		if err != nil {
			return err
		}
		seen[source.CrawlerID], at = true, source.ID
	}
	for crawler, squid := ch.TargetCrawler, ch.TargetSquid; ; {
		if seen[crawler] {
			return unprocessable("target_module_id", "This chain leads back to a crawler that it comes from")
		}
		if depth++; depth > maxChainDepth {
			return unprocessable("target_module_id", fmt.Sprintf("With this chain more than %d squids would follow on each other", maxChainDepth))
		}
		seen[crawler] = true
		if squid == "" {
			return nil
		}
		next, err := c.a.store.Chain(c.ctx(), c.ws, squid)
		if errors.Is(err, shoal.ErrChainNotFound) || errors.Is(err, shoal.ErrSquidNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		crawler, squid = next.TargetCrawler, next.TargetSquid
	}
}

func unprocessable(param, message string) error {
	return &shoal.Error{Kind: shoal.KindUnprocessable, Code: "ParamsInvalid", Param: param, Message: message}
}

func (a *API) getChain(c *call) error {
	s, err := c.squid()
	if err != nil {
		return err
	}
	ch, err := a.store.Chain(c.ctx(), c.ws, s.ID)
	if errors.Is(err, shoal.ErrChainNotFound) {
		return c.send(http.StatusOK, []byte("null"))
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, c.showChain(&ch))
}

func (a *API) deleteChain(c *call) error {
	id, err := id32[shoal.SquidID](c, shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	if err := a.store.DeleteChain(c.ctx(), c.ws, id); err != nil {
		return err
	}
	return c.noContent()
}
