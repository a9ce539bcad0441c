package accounts

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"shoal/internal/fetch"
)

// cover takes secrets out of messages: a site, or a definition, can bring them
// into an address, and the address into the reason of a failure.
type cover struct{ words []string }

// minSecret is the shortest text that is looked for; shorter ones stand in
// any sentence by chance.
const minSecret = 3

func newCover(secrets ...string) *cover {
	c := &cover{}
	for _, s := range secrets {
		c.add(s)
	}
	return c
}

// cookies adds the values of a jar.
func (c *cover) cookies(jar *fetch.Jar, now time.Time) {
	for _, k := range jar.Stored(now) {
		c.add(k.Value)
	}
}

// add covers a text in the forms in which it can stand in a message.
func (c *cover) add(s string) {
	if len(s) < minSecret {
		return
	}
	forms := []string{s, url.QueryEscape(s), url.PathEscape(s), (&url.URL{Path: s}).EscapedPath()}
	if quoted, err := json.Marshal(s); err == nil {
		forms = append(forms, strings.Trim(string(quoted), `"`))
	}
	if plain, err := url.QueryUnescape(s); err == nil && len(plain) >= minSecret {
		forms = append(forms, plain)
	}
	c.words = append(c.words, forms...)
}

// text is s with **** in place of every secret.
func (c *cover) text(s string) string {
	// The longest first: a secret may hold another.
	slices.SortFunc(c.words, func(a, b string) int { return len(b) - len(a) })
	for _, w := range c.words {
		s = strings.ReplaceAll(s, w, "****")
	}
	return s
}

// error is err as a message without secrets; *refused stays what it is.
func (c *cover) error(err error) error {
	if no, ok := errors.AsType[*refused](err); ok {
		return &refused{no.status, c.text(no.why)}
	}
	return errors.New(c.text(err.Error()))
}

// clip cuts a text to so many bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
