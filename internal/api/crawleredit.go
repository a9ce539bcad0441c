package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"shoal"
)

// maxDefinitionBody is the most bytes of a body that brings a definition, which
// itself may have 1 MiB: as a JSON text it is longer.
const maxDefinitionBody = 2 << 20

// definitionTypes are the media types that a definition may come under. curl
// calls every body a form.
var definitionTypes = map[string]bool{"application/json": true, "application/yaml": true, "application/x-yaml": true, "text/yaml": true,
	"text/x-yaml": true, "text/plain": true, "application/octet-stream": true, formType: true}

// definition reads the request's body: a definition in YAML or JSON as it is,
// or as the text or object under "definition".
func (c *call) definition() (body, definition []byte, err error) {
	if ct := c.r.Header.Get("Content-Type"); ct != "" {
		typ, params, err := mime.ParseMediaType(ct)
		if err != nil || !definitionTypes[typ] && !strings.HasSuffix(typ, "+json") && !strings.HasSuffix(typ, "+yaml") {
			return nil, nil, shoal.Invalid("InvalidParam", "Content-Type", "Content-Type is %q; send the definition as application/yaml or application/json", clip(ct, 80))
		}
		if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "utf8") {
			return nil, nil, shoal.Invalid("BadEncoding", "Content-Type", "The charset is %q; send the definition in utf-8", clip(cs, 40))
		}
	}
	if enc := c.r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, nil, shoal.Invalid("BadEncoding", "Content-Encoding", "Content-Encoding %q is not accepted; send the body as it is", clip(enc, 40))
	}
	body, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxDefinitionBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, tooLarge(maxDefinitionBody)
	}
	if err != nil {
		return nil, nil, shoal.Invalid("InvalidParam", "body", "The body broke off after %d bytes", len(body))
	}
	definition = unwrapped(body)
	switch {
	case len(bytes.TrimSpace(definition)) == 0:
		return nil, nil, shoal.Invalid("ParamsNeeded", "definition", "The body is empty; send the crawler's definition, in YAML or JSON")
	case !utf8.Valid(definition) || bytes.IndexByte(definition, 0) >= 0:
		return nil, nil, shoal.Invalid("BadEncoding", "definition", "The definition is not UTF-8 text")
	}
	return body, definition, nil
}

// unwrapped returns what stands under "definition" if body is a JSON object that
// has it, else body.
func unwrapped(body []byte) []byte {
	var in struct {
		Definition json.RawMessage `json:"definition"`
	}
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(trimmed, &in) != nil || in.Definition == nil {
		return body
	}
	var text string
	if json.Unmarshal(in.Definition, &text) == nil {
		return []byte(text)
	}
	return in.Definition
}

// createCrawler makes a crawler of the workspace's own.
func (a *API) createCrawler(c *call) error {
	body, definition, err := c.definition()
	if err != nil {
		return err
	}
	handle := func() error { return c.saveCrawler(definition, nil) }
	if c.r.Header["Idempotency-Key"] != nil {
		return c.once(bodyHash(c.r.URL.RawQuery, body), handle)
	}
	return handle()
}

// updateCrawler gives a crawler of the workspace's own its next version.
func (a *API) updateCrawler(c *call) error {
	own, err := c.ownCrawler()
	if err != nil {
		return err
	}
	_, definition, err := c.definition()
	if err != nil {
		return err
	}
	return c.saveCrawler(definition, &own)
}

// saveCrawler checks a definition and stores it as a new crawler or, when own is
// given, as the next version of that.
func (c *call) saveCrawler(definition []byte, own *shoal.OwnCrawler) error {
	p, err := c.a.catalogue.Compile(definition)
	if err != nil {
		return err
	}
	info := p.Info()
	if _, err := c.a.catalogue.Lookup(c.ctx(), "", info.Slug); err == nil && (own == nil || own.Version.Slug != info.Slug) {
		return shoal.Conflict("DuplicateModule", "slug", "The slug %q is that of a crawler that everybody here has: choose another", info.Slug)
	} else if err != nil && !errors.Is(err, shoal.ErrCrawlerNotFound) {
		return err
	}
	except := shoal.CrawlerID("")
	if own != nil {
		except = own.ID
	}
	if err := c.a.catalogue.CheckAccount(c.ctx(), c.ws, info, except); err != nil {
		return err
	}
	next := shoal.OwnCrawler{ID: shoal.NewID[shoal.CrawlerID](), WorkspaceID: c.ws,
		Version: shoal.CrawlerVersion{Slug: info.Slug, Digest: info.Digest, Definition: definition}}
	status, save := http.StatusCreated, c.a.store.CreateCrawler
	if own != nil {
		next.ID = own.ID
		status, save = http.StatusOK, c.a.store.UpdateCrawler
	}
	render := func(saved shoal.OwnCrawler) []byte { return appendJSON(nil, showOwn(info, &saved)) }
	saved, err := save(effectCtx(c, status, render), next)
	if err != nil {
		return err
	}
	return c.send(status, render(saved))
}

// showOwn shows a stored crawler in full, info being what its definition says.
func showOwn(info *shoal.Crawler, c *shoal.OwnCrawler) wireCrawlerDetail {
	own := *info
	own.ID, own.WorkspaceID, own.IsPublic, own.Version = c.ID, c.WorkspaceID, false, c.Version.Version
	return showDetail(&own, c.Version.Definition)
}

// ownCrawler loads the workspace's own crawler of the path. A shared one cannot
// be changed; another workspace's is not there.
func (c *call) ownCrawler() (shoal.OwnCrawler, error) {
	key := strings.ToLower(strings.TrimSpace(c.r.PathValue("id")))
	own, err := c.a.store.Crawler(c.ctx(), c.ws, key)
	if !errors.Is(err, shoal.ErrCrawlerNotFound) {
		return own, err
	}
	shared, lerr := c.a.catalogue.Lookup(c.ctx(), "", key)
	if lerr != nil {
		return own, err
	}
	return own, shoal.Business("ModuleRestricted", "The crawler %s belongs to the server and cannot be changed here: make one of your own with another slug", shared.Info().Slug)
}

// deleteCrawler deletes a crawler of the workspace's own that no squid uses.
func (a *API) deleteCrawler(c *call) error {
	own, err := c.ownCrawler()
	if err != nil {
		return err
	}
	if err := a.store.DeleteCrawler(c.ctx(), c.ws, own.ID); err != nil {
		return err
	}
	return c.json(http.StatusOK, deleted{string(own.ID), "crawler", true})
}
