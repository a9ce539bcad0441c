package deliver

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
)

// The kinds of GoogleKey.
const (
	serviceAccount = "service_account"
	authorizedUser = "authorized_user"
)

const (
	googleDomain   = "googleapis.com"
	googleTokenURI = "https://oauth2.googleapis.com/token"
	// sheetsScope lets its holder read and write spreadsheets, and nothing else.
	sheetsScope = "https://www.googleapis.com/auth/spreadsheets"
)

// GoogleKey is what Google is shown to be let in, as its tools write it into a
// JSON file: the key of a service account, or a person's grant to an OAuth
// client (https://google.aip.dev/auth/4112 and 4113). Every member but
// ClientEmail and the addresses is a secret.
type GoogleKey struct {
	Type string `json:"type"`
	// ClientEmail is the service account's address: what a sheet is shared with.
	ClientEmail  string `json:"client_email"`
	PrivateKey   string `json:"private_key"`
	PrivateKeyID string `json:"private_key_id"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`
	TokenURI     string `json:"token_uri"`
	Universe     string `json:"universe_domain"`
}

// ParseGoogleKey reads such a file. The error says what is missing and holds
// nothing of it.
func ParseGoogleKey(text []byte) (*GoogleKey, error) {
	var file struct {
		GoogleKey
		Installed, Web json.RawMessage
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, errors.New("they are no JSON: give the whole content of the key file, from { to }")
	}
	k := &file.GoogleKey
	if k.Type == "" && k.PrivateKey != "" {
		k.Type = serviceAccount
	}
	if k.Type == "" && k.RefreshToken != "" {
		k.Type = authorizedUser
	}
	if !strings.Contains(k.PrivateKey, "\n") { // it was copied out of an environment variable
		k.PrivateKey = strings.ReplaceAll(k.PrivateKey, `\n`, "\n")
	}
	if k.TokenURI == "" {
		k.TokenURI = googleTokenURI
	}
	if k.Universe == "" {
		k.Universe = googleDomain
	}
	switch {
	case file.Installed != nil || file.Web != nil:
		return nil, errors.New("they are an OAuth client alone, which lets nobody in: give the key of a service account, or client_id, client_secret and refresh_token")
	case k.Type != serviceAccount && k.Type != authorizedUser:
		return nil, errors.New("their type is neither service_account nor authorized_user: give the key of a service account, or client_id, client_secret and refresh_token")
	}
	return k, k.check()
}

// check says what the key lacks.
func (k *GoogleKey) check() error {
	var missing []string
	need := map[string]string{"client_email": k.ClientEmail, "private_key": k.PrivateKey}
	if k.Type == authorizedUser {
		need = map[string]string{"client_id": k.ClientID, "client_secret": k.ClientSecret, "refresh_token": k.RefreshToken}
	}
	for _, name := range []string{"client_email", "private_key", "client_id", "client_secret", "refresh_token"} {
		if v, needed := need[name]; needed && v == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return fmt.Errorf("they lack %s", strings.Join(missing, ", "))
	}
	if k.Type == serviceAccount && !isRSAKey(k.PrivateKey) {
		return errors.New("their private_key cannot be read: give the file as Google made it, with its line breaks as \\n")
	}
	if !safeTokenURI(k.TokenURI) {
		return errors.New("their token_uri must be an https address")
	}
	if strings.Trim(k.Universe, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return errors.New("their universe_domain is no domain")
	}
	return nil
}

func isRSAKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return true
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, ok := key.(*rsa.PrivateKey)
	return err == nil && ok
}

// safeTokenURI reports whether what is shown there stays between the two:
// encrypted, or within this machine.
func safeTokenURI(link string) bool {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return false
	}
	address, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && err == nil && address.IsLoopback()
}

// Account is the address that a sheet must be shared with; empty for a
// person's grant, which does not tell whose it is.
func (k *GoogleKey) Account() string {
	if k.Type != serviceAccount {
		return ""
	}
	return k.ClientEmail
}

// whom names the account in a sentence.
func (k *GoogleKey) whom() string {
	if a := k.Account(); a != "" {
		return a
	}
	return "the Google account of the credentials"
}

// token asks for an access token. An error is a *tokenError, or that of client.
func (k *GoogleKey) token(ctx context.Context, client *http.Client) (*oauth2.Token, error) {
	failed := &remembering{ctx: ctx, next: client.Transport}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: failed, CheckRedirect: client.CheckRedirect})
	var source oauth2.TokenSource
	if k.Type == serviceAccount {
		c := &jwt.Config{Email: k.ClientEmail, PrivateKey: []byte(k.PrivateKey), PrivateKeyID: k.PrivateKeyID, Scopes: []string{sheetsScope}, TokenURL: k.TokenURI}
		source = c.TokenSource(ctx)
	} else {
		c := &oauth2.Config{ClientID: k.ClientID, ClientSecret: k.ClientSecret, Endpoint: oauth2.Endpoint{TokenURL: k.TokenURI, AuthStyle: oauth2.AuthStyleInParams}}
		source = c.TokenSource(ctx, &oauth2.Token{RefreshToken: k.RefreshToken})
	}
	t, err := source.Token()
	if said, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return nil, newTokenError(said)
	}
	if failed.err != nil {
		return nil, &url.Error{Op: "Post", URL: k.TokenURI, Err: failed.err} // the library keeps only its text
	}
	if err != nil || t.AccessToken == "" {
		return nil, &tokenError{description: "no token was in the answer"}
	}
	return t, nil
}

// remembering keeps the error of the last request, and ends requests with ctx:
// the library's package jwt does neither.
type remembering struct {
	ctx  context.Context
	next http.RoundTripper
	err  error
}

func (r *remembering) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.next.RoundTrip(req.WithContext(r.ctx))
	r.err = err
	return res, err
}

// tokenError says that the token endpoint refused, as in RFC 6749, section 5.2.
type tokenError struct {
	status            int
	code, description string
}

func (e *tokenError) Error() string { return fmt.Sprintf("%d %s %s", e.status, e.code, e.description) }

func newTokenError(said *oauth2.RetrieveError) *tokenError {
	e := &tokenError{status: said.Response.StatusCode}
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(said.Body, &body) == nil {
		e.code, e.description = clip(body.Error, 80), clip(body.Description, 300)
	}
	return e
}
