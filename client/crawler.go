package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// CreateCrawler makes a crawler of one's own from a definition in YAML or JSON.
func (c *Client) CreateCrawler(ctx context.Context, definition []byte) (*Crawler, error) {
	return c.sendDefinition(ctx, http.MethodPost, "/crawlers", definition)
}

// UpdateCrawler gives a crawler of one's own (id or slug) its next version.
func (c *Client) UpdateCrawler(ctx context.Context, idOrSlug string, definition []byte) (*Crawler, error) {
	return c.sendDefinition(ctx, http.MethodPut, "/crawlers/"+url.PathEscape(idOrSlug), definition)
}

func (c *Client) sendDefinition(ctx context.Context, method, path string, definition []byte) (*Crawler, error) {
	req, err := c.request(ctx, method, path, nil, bytes.NewReader(definition))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/yaml")
	var v Crawler
	return &v, c.send(req, &v)
}

// DeleteCrawler deletes a crawler of one's own (id or slug) that no squid uses.
func (c *Client) DeleteCrawler(ctx context.Context, idOrSlug string) error {
	return c.do(ctx, http.MethodDelete, "/crawlers/"+url.PathEscape(idOrSlug), nil, nil, nil)
}

// Trial is what TryCrawler is to try. Zero bounds leave the server's defaults.
type Trial struct {
	Task       map[string]any `json:"task"`
	Params     map[string]any `json:"params,omitempty"`
	MaxResults int            `json:"max_results,omitempty"`
	MaxPages   int            `json:"max_pages,omitempty"`
	// Definition, if not empty, is tried in the place of the crawler's own.
	Definition string `json:"definition,omitempty"`
}

// TryCrawler runs one task of a crawler (id or slug) on the server now and
// returns the report as the server gives it.
func (c *Client) TryCrawler(ctx context.Context, idOrSlug string, t Trial) (json.RawMessage, error) {
	var report json.RawMessage
	err := c.do(ctx, http.MethodPost, "/crawlers/"+url.PathEscape(idOrSlug)+"/try", nil, t, &report)
	return report, err
}
