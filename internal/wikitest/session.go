package wikitest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

var token = regexp.MustCompile(`name="sectok" value="([^"]*)"`)

// session fills in the log-in form and sends it.
func (w *Wiki) session(ctx context.Context, m Member) (map[string]string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar}
	page, err := read(ctx, client, http.MethodGet, w.Page("start")+"&do=login", nil)
	if err != nil {
		return nil, err
	}
	form := url.Values{"do": {"login"}, "id": {"start"}, "u": {m.Username}, "p": {m.Password}}
	if found := token.FindStringSubmatch(page); found != nil {
		form.Set("sectok", found[1])
	}
	page, err = read(ctx, client, http.MethodPost, w.Page("start"), form)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(page, m.Name) {
		return nil, errors.New("the wiki does not greet the member")
	}
	at, err := url.Parse(w.URL)
	if err != nil {
		return nil, err
	}
	cookies := map[string]string{}
	for _, c := range jar.Cookies(at) {
		cookies[c.Name] = c.Value
	}
	return cookies, nil
}

func read(ctx context.Context, client *http.Client, method, address string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
