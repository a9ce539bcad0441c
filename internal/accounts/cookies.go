// Package accounts makes and keeps sessions on sites: it tries cookies that
// somebody gave, logs in by a crawler's log-in steps, and seals what comes of
// it.
//
// A synchronization is a row and a job: it outlives any kill, and what it was
// given (cookies, a password) is sealed in that row only until it is over. A
// password is kept longer, sealed with the account, only when it was asked to
// be remembered, so that the account can log in again by itself.
package accounts

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"shoal"
	"shoal/internal/fetch"
	"shoal/internal/seal"
)

// Cookies opens and seals the cookies of accounts.
type Cookies struct{ Seal *seal.Keyring }

// Jar opens an account's sealed cookies into a fresh jar. home is the URL of a
// task's start: cookies of the generic session that name no site belong to its
// site; empty: they are left out.
func (c Cookies) Jar(sealed []byte, home string) (*fetch.Jar, error) {
	jar := fetch.NewJar()
	if len(sealed) == 0 {
		return jar, nil
	}
	stored, err := c.open(sealed)
	if err != nil {
		return nil, err
	}
	var at *url.URL
	if home != "" {
		if at, err = url.Parse(home); err != nil {
			return nil, fmt.Errorf("open an account's cookies for %q: %w", home, err)
		}
	}
	jar.Restore(stored, at)
	return jar, nil
}

// Keep seals what a jar holds now: a site renews its cookies as it likes.
func (c Cookies) Keep(jar *fetch.Jar, now time.Time) []byte {
	return c.sealed(jar.Stored(now))
}

func (c Cookies) sealed(stored []fetch.StoredCookie) []byte {
	b, err := json.Marshal(stored)
	if err != nil {
		panic("accounts: encode cookies: " + err.Error()) // texts and times only
	}
	return c.Seal.Seal(shoal.SealedCookies, b)
}

// open reads what is sealed: a list of cookies or, as the first version kept
// them, their values by name.
func (c Cookies) open(sealed []byte) ([]fetch.StoredCookie, error) {
	plain, err := c.Seal.Open(shoal.SealedCookies, sealed)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(string(plain), "{") {
		values := map[string]string{}
		if json.Unmarshal(plain, &values) != nil {
			return nil, errUnreadable // the decoder's words would repeat the cookies
		}
		return given(&shoal.AccountType{}, values), nil
	}
	var stored []fetch.StoredCookie
	if json.Unmarshal(plain, &stored) != nil {
		return nil, errUnreadable
	}
	return stored, nil
}

var errUnreadable = fmt.Errorf("the sealed cookies are not what this version writes")

// given are cookies that a person gave as names and values: they belong to all
// hosts of the type's domain, and to encrypted connections only when the site
// has them.
func given(t *shoal.AccountType, values map[string]string) []fetch.StoredCookie {
	out := make([]fetch.StoredCookie, 0, len(values))
	for _, name := range sortedNames(values) {
		c := fetch.StoredCookie{Name: name, Value: values[name]}
		if t.BaseURL != "" {
			c.From, c.Path = t.BaseURL, "/"
			c.Secure = strings.HasPrefix(strings.ToLower(t.BaseURL), "https:")
			if !strings.HasPrefix(strings.ToLower(name), "__host-") {
				c.Domain = t.Domain
			}
		}
		out = append(out, c)
	}
	return out
}

func sortedNames(values map[string]string) []string { return slices.Sorted(maps.Keys(values)) }
