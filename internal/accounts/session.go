package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"shoal"
	"shoal/internal/crawler"
	"shoal/internal/extract"
	"shoal/internal/fetch"
)

// Fetcher fetches pages; *fetch.Fetcher is one.
type Fetcher interface {
	Do(ctx context.Context, r fetch.Request, p fetch.Policy) (*fetch.Response, error)
}

// refused is what the site says about the account, instead of letting it in.
type refused struct {
	status shoal.AccountStatus
	why    string // a sentence; empty: the status says enough
}

// Error returns what happened and what to do.
func (r *refused) Error() string {
	if r.why != "" {
		return r.why
	}
	return r.status.Description()
}

// session is one log-in, or one try of a session, under way.
type session struct {
	account *crawler.Account
	fetcher Fetcher
	plan    *extract.Plan // of the account's reader
	jar     *fetch.Jar
	base    *url.URL
	env     crawler.Env // what it logs in with, what it read, and the last answer
	referer string      // where the last answer came from
	hidden  [][2]string // the fields of the last form, by name
}

func newSession(a *crawler.Account, f Fetcher, jar *fetch.Jar) (*session, error) {
	s := &session{account: a, fetcher: f, jar: jar}
	s.env.Read = map[string]any{}
	var err error
	if s.base, err = url.Parse(a.Type.BaseURL); err != nil {
		return nil, fmt.Errorf("the site of account type %s: %w", a.Type.Slug, err)
	}
	if s.plan, err = extract.New(a.Reader, shoal.RunSettings{}); err != nil {
		return nil, fmt.Errorf("bind the log-in of account type %s: %w", a.Type.Slug, err)
	}
	return s, nil
}

// login drives the log-in steps from the one with the number from. The error is
// *refused when the site did not let the account in; at is the step that it
// stands at then.
func (s *session) login(ctx context.Context, from int) (at int, err error) {
	for at = from; at < len(s.account.Login); at++ {
		step := s.account.Login[at]
		if at > from { // the first one's condition held when it was asked for the code
			ok, err := step.When.True(&s.env)
			if err != nil {
				return at, failure(step, err)
			}
			if !ok {
				continue
			}
		}
		if step.Uses.OTP && s.env.OTP == "" {
			return at, &refused{status: shoal.AccountOTPNeeded}
		}
		form := s.hidden
		if err := s.do(ctx, step); err != nil {
			s.hidden = form // with another code the same form is sent again
			return at, err
		}
	}
	return at, nil
}

// healthy tries the session. The error is *refused when it is not logged in.
// user is who is, if the site says so.
func (s *session) healthy(ctx context.Context) (user string, err error) {
	h := s.account.Health
	s.hidden = nil
	s.env.Read = map[string]any{}
	if err := s.do(ctx, &h.LoginStep); err != nil {
		return "", err
	}
	ok, err := h.LoggedIn.True(&s.env)
	if err != nil {
		return "", failure(&h.LoginStep, err)
	}
	if !ok {
		return "", &refused{status: shoal.AccountCookiesExpired}
	}
	if v, ok := s.env.Read[h.Username].(string); ok {
		user = strings.TrimSpace(v)
	}
	return user, nil
}

// do makes one request, reads its answer and looks at what it says.
func (s *session) do(ctx context.Context, step *crawler.LoginStep) error {
	req, err := s.request(step)
	if err != nil {
		return failure(step, err)
	}
	resp, err := s.fetcher.Do(ctx, req, s.policy())
	if err != nil {
		return s.unanswered(step, err)
	}
	defer resp.Release()
	page := &extract.Page{URL: resp.URL, RequestURL: req.URL, Status: resp.Status, Header: resp.Header, MediaType: resp.MediaType,
		Body: resp.Body, WireBytes: resp.WireBytes, Elapsed: resp.Elapsed}
	extract.AnswerEnv(&s.env, page)
	s.referer, s.hidden = bareURL(resp.URL), nil
	if step.Page != "" {
		values, err := s.plan.Values(step.Page, page)
		if err != nil {
			return failure(step, err)
		}
		s.hidden = hiddenOf(values[crawler.HiddenField])
		delete(values, crawler.HiddenField)
		maps.Copy(s.env.Read, values)
	}
	for _, d := range step.Expect {
		ok, err := d.When.True(&s.env)
		if err != nil {
			return failure(step, err)
		}
		if ok {
			return &refused{status: shoal.AccountStatus(d.Reason)}
		}
	}
	if resp.Status == http.StatusTooManyRequests {
		return &refused{status: shoal.AccountTooManyRequests}
	}
	return nil
}

// unanswered is a request that got no usable answer.
func (s *session) unanswered(step *crawler.LoginStep, err error) error {
	if fe, ok := errors.AsType[*fetch.Error](err); ok && fe.Failure == fetch.FailTooMany {
		return &refused{status: shoal.AccountTooManyRequests}
	}
	return failure(step, err)
}

// failure says at which step something failed that is not the account's fault.
func failure(step *crawler.LoginStep, err error) error {
	return fmt.Errorf("the %s failed: %w", step.Name, err)
}

// policy is that of a person at a browser: log-ins are what somebody asked for,
// so that robots.txt, which is about robots' own wandering, does not apply.
func (s *session) policy() fetch.Policy {
	p := fetch.DefaultPolicy()
	p.Robots, p.Cookies, p.Home = false, s.jar, s.account.Type.BaseURL
	return p
}

// request fills in a step's templates.
func (s *session) request(step *crawler.LoginStep) (fetch.Request, error) {
	raw, err := step.URL.Expand(&s.env)
	if err != nil {
		return fetch.Request{}, err
	}
	to, err := s.base.Parse(strings.TrimSpace(raw))
	if err != nil {
		return fetch.Request{}, errors.New("its address is none")
	}
	extra, err := extract.Expand(&step.Message, &s.env)
	if err != nil {
		return fetch.Request{}, err
	}
	req := fetch.Request{Method: extra.Method, URL: to.String(), Header: extra.Header, Body: extra.Body, Attempt: 1}
	if req.Header == nil {
		req.Header = map[string]string{}
	}
	s.asBrowsersDo(&req, to)
	if step.Body != nil && step.Body.Form != nil {
		req.Body = s.withHidden(step, req.Body)
	}
	return req, nil
}

// asBrowsersDo names the page that a form stands on: many frameworks refuse
// forms that come from nowhere.
func (s *session) asBrowsersDo(req *fetch.Request, to *url.URL) {
	has := func(name string) bool {
		for k := range req.Header {
			if strings.EqualFold(k, name) {
				return true
			}
		}
		return false
	}
	from, err := url.Parse(s.referer)
	if err != nil || s.referer == "" {
		return
	}
	same := from.Scheme == to.Scheme && from.Host == to.Host
	if !has("Referer") && same {
		req.Header["Referer"] = s.referer
	}
	if !has("Origin") && req.Method != "" && req.Method != http.MethodGet && req.Method != http.MethodHead {
		req.Header["Origin"] = from.Scheme + "://" + from.Host
	}
}

// withHidden puts the last form's hidden fields before those of the step,
// without the ones that the step names itself.
func (s *session) withHidden(step *crawler.LoginStep, body string) string {
	var parts []string
next:
	for _, field := range s.hidden {
		for _, own := range step.Body.Form {
			if own.Name == field[0] {
				continue next
			}
		}
		parts = append(parts, url.QueryEscape(field[0])+"="+url.QueryEscape(field[1]))
	}
	if body != "" {
		parts = append(parts, body)
	}
	return strings.Join(parts, "&")
}

// hiddenOf reads what crawler.HiddenField gave.
func hiddenOf(v any) [][2]string {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var form struct {
		Inputs []struct{ Name, Value string }
	}
	if json.Unmarshal(raw, &form) != nil {
		return nil
	}
	var out [][2]string
	for _, in := range form.Inputs {
		if in.Name != "" {
			out = append(out, [2]string{in.Name, in.Value})
		}
	}
	return out
}

// bareURL is an address as browsers tell other pages of it: without password
// and fragment.
func bareURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u.String()
}
