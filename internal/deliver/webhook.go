package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"shoal"
)

// webhookTimeout is how long a receiver has to accept a delivery.
const webhookTimeout = 30 * time.Second

// answerTimeout is how long the text of an answer is awaited once its status,
// which decides, is known.
const answerTimeout = 2 * time.Second

// maxAnswer is how much of a receiver's answer is read.
const maxAnswer = 4 << 10

// webhook posts an event to a URL.
type webhook struct {
	dial      Dial
	userAgent string
	now       func() time.Time
}

// webhookConfig is the channel's config.
type webhookConfig struct {
	URL    string `json:"url"`
	Retry  bool   `json:"retry"`
	Secret string `json:"secret"`
	// Former is the secret before Secret: it signs too until FormerUntil, so
	// that a receiver can change over without missing anything.
	Former      string    `json:"former_secret"`
	FormerUntil time.Time `json:"former_secret_until"`
}

// secrets are those in force at the time.
func (c *webhookConfig) secrets(now time.Time) []string {
	var all []string
	if c.Secret != "" {
		all = append(all, c.Secret)
	}
	if c.Former != "" && now.Before(c.FormerUntil) {
		all = append(all, c.Former)
	}
	return all
}

// webhookBody is the body of an event, as lobstr.io sends it.
type webhookBody struct {
	ID        shoal.RunID    `json:"id"`
	Object    string         `json:"object"`
	Event     shoal.RunEvent `json:"event"`
	Squid     webhookSquid   `json:"squid"`
	Timestamp string         `json:"timestamp"`
}

type webhookSquid struct {
	ID   shoal.SquidID `json:"id"`
	Name string        `json:"name"`
}

func (w *webhook) send(ctx context.Context, p *parcel) Answer {
	var c webhookConfig
	if err := p.read(&c); err != nil {
		return Answer{Detail: err.Error()}
	}
	d := p.delivery
	body, err := json.Marshal(webhookBody{
		ID: d.RunID, Object: "run", Event: d.Event, Squid: webhookSquid{d.SquidID, d.Payload.SquidName},
		Timestamp: d.CreatedAt.UTC().Format("2006/01/02 15:04:05"),
	})
	if err != nil {
		return Answer{Detail: "The event could not be written as JSON: " + err.Error()}
	}
	header := http.Header{headerDelivery: {string(d.ID)}, headerEvent: {string(d.Event)}}
	if s := signature(c.secrets(w.now()), w.now(), body); s != "" {
		header.Set(headerSignature, s)
	}
	return post(ctx, w.dial, w.userAgent, c.URL, header, body)
}

// post sends body as JSON to the address and judges the answer: 200, 201 and
// 202 within 30 s accept it. It follows no redirect: a POST would arrive as a
// GET at most of them, and the address that is wanted can be given instead.
func post(ctx context.Context, dial Dial, userAgent, address string, header http.Header, body []byte) Answer {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Answer{Detail: "The address of the delivery is not an http or https URL"}
	}
	host := req.URL.Hostname()
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	transport := newTransport(dial)
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return Answer{Target: host, Detail: explain(err, host, webhookTimeout)}
	}
	defer res.Body.Close()
	defer time.AfterFunc(answerTimeout, cancel).Stop()
	said, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // the status decides; the text is for people
	return judge(res, host, string(said))
}

// newTransport returns a transport for one request: a kept connection that the
// other side closes at the wrong moment would look like a failed delivery.
func newTransport(dial Dial) *http.Transport {
	return &http.Transport{
		DialContext: dial, ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: true,
		TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// judge makes the answer of a receiver.
func judge(res *http.Response, host, said string) Answer {
	a := Answer{Status: res.StatusCode, Target: host, Detail: clip(said, maxDetail)}
	switch {
	case res.StatusCode >= 200 && res.StatusCode <= 202:
		a.OK = true
		if a.Detail == "" {
			a.Detail = "Accepted"
		}
	case res.StatusCode >= 300 && res.StatusCode < 400:
		a.Detail = fmt.Sprintf("%s answered %s and points to %s. Redirects are not followed: give the final address", host, status(res), elsewhere(res))
	case a.Detail == "":
		a.Detail = fmt.Sprintf("%s answered %s; 200, 201 or 202 accept a delivery", host, status(res))
	default:
		a.Detail = fmt.Sprintf("%s answered %s: %s", host, status(res), a.Detail)
	}
	if hint := hints[res.StatusCode]; hint != "" {
		a.Detail = strings.TrimRight(a.Detail, ". ") + ". " + hint
	}
	return a
}

// hints say what may be wrong with an address that gives an answer.
var hints = map[int]string{
	http.StatusUnauthorized:     "It wants a log-in: the address may hold one, https://USER:PASSWORD@HOST/",
	http.StatusNotFound:         "Is the path of the address right?",
	http.StatusMethodNotAllowed: "It takes no POST there: is the path of the address right?",
}

// status is the code with its standard name; the server's own words are not trusted to be one line.
func status(res *http.Response) string {
	if name := http.StatusText(res.StatusCode); name != "" {
		return fmt.Sprintf("%d %s", res.StatusCode, name)
	}
	return fmt.Sprint(res.StatusCode)
}

// elsewhere names where a redirect leads, without what may be secret.
func elsewhere(res *http.Response) string {
	u, err := res.Location()
	if err != nil {
		return "nowhere"
	}
	return clip((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), 200)
}
