package api_test

import (
	"strings"
	"testing"

	"shoal"
)

// Chains are at most three squids long, counted from the first, whichever of
// them is added last; and a map gives the target all that its tasks need.
func TestChainLimits(t *testing.T) {
	w := newWorld(t, "", nil)
	squid := func(crawler string) string { return w.post("/v1/squids", map[string]any{"crawler": crawler}).str("id") }
	a, b, c := squid("website"), squid("sitemap"), squid("articles")
	link := func(from, to, crawler string) {
		t.Helper()
		id := w.get("/v1/crawlers/" + crawler).str("id")
		err := w.Store.SetChain(t.Context(), w.Workspace, shoal.Chain{ID: shoal.NewID[shoal.ChainID](), SquidID: shoal.SquidID(from), TargetCrawler: shoal.CrawlerID(id),
			TargetSquid: shoal.SquidID(to), IsActive: true, Autostart: true, FieldMap: map[string]string{"url": "url"}, ClusterConcurrency: 1}, false)
		if err != nil {
			t.Fatal(err)
		}
	}
	link(a, b, "sitemap")
	link(b, c, "articles")
	body := func(target string, fields map[string]any) map[string]any {
		return map[string]any{"target_module_id": target, "field_map": fields}
	}
	url := map[string]any{"url": "url"}
	if got := w.ok(422, "POST", "/v1/squids/"+c+"/chain", body("contacts", url)); !strings.Contains(string(got.body), "more than 3 squids") {
		t.Errorf("a fourth squid: %s", got.body)
	}
	if got := w.ok(422, "POST", "/v1/squids/"+c+"/chain", body("website", url)); !strings.Contains(string(got.body), "leads back") {
		t.Errorf("a circle: %s", got.body)
	}
	w.ok(422, "POST", "/v1/squids/"+squid("articles")+"/chain", body("articles", url))
	d := squid("website")
	if got := w.ok(400, "POST", "/v1/squids/"+d+"/chain", body("sitemap", map[string]any{"url": "url", "title": "url"})); !strings.Contains(string(got.body), "maps two fields") {
		t.Errorf("two fields for one param: %s", got.body)
	}
	made := w.ok(201, "POST", "/v1/squids/"+d+"/chain", body("sitemap", url))
	if last, ok := made.json["last_handover"]; !ok || last != nil {
		t.Errorf("a new chain: %s", made.body)
	}
}
