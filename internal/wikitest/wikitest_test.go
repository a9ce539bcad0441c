package wikitest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"shoal/internal/wikitest"
)

// see fetches a page with cookies.
func see(t *testing.T, url string, cookies map[string]string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestMembersOnly: what the wiki promises to tests.
func TestMembersOnly(t *testing.T) {
	w := wikitest.Start(t, 3)
	if page := see(t, w.Page("start"), nil); !strings.Contains(page, "Everybody sees this.") {
		t.Errorf("the public page: %s", page)
	}
	if page := see(t, w.Index(), nil); strings.Contains(page, "Topic 001") || !strings.Contains(page, `name="sectok"`) {
		t.Errorf("a stranger sees: %s", page)
	}
	ada := w.Session(t, wikitest.Members()[0])
	page := see(t, w.Index(), ada)
	for _, topic := range w.Topics {
		if !strings.Contains(page, topic) {
			t.Errorf("a member does not see %s", topic)
		}
	}
	w.Expire(t)
	if page := see(t, w.Index(), ada); strings.Contains(page, "Topic 001") {
		t.Error("the session goes on after it was ended")
	}
	if page := see(t, w.Index(), w.Session(t, wikitest.Members()[1])); !strings.Contains(page, "Topic 001") {
		t.Error("nobody can log in any more")
	}
}
