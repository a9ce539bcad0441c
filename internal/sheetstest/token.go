package sheetstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const scope = "https://www.googleapis.com/auth/spreadsheets"

// account is a service account.
type account struct {
	kid string
	key *rsa.PublicKey
}

// grant is what a person gave an OAuth client.
type grant struct{ who, client, secret, scope string }

// access is a token that was given.
type access struct {
	who, scope string
	ends       time.Time
}

// keys makes the process's private keys, of which making takes its time.
var keys = [2]func() *rsa.PrivateKey{sync.OnceValue(newKey), sync.OnceValue(newKey)}

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// ServiceAccount makes a service account and returns its key file.
func (s *Server) ServiceAccount(email string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := keys[0]()
	s.accounts[email] = account{"kid-" + email, &k.PublicKey}
	return s.keyFile(email, k)
}

// ForgedKey returns a key file with a key that is not the account's.
func (s *Server) ForgedKey(email string) string { return s.keyFile(email, keys[1]()) }

func (s *Server) keyFile(email string, k *rsa.PrivateKey) string {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		panic(err)
	}
	return toJSON(map[string]string{
		"type": "service_account", "project_id": "shoal-test", "private_key_id": "kid-" + email,
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": email, "client_id": "100000000000000000001", "token_uri": s.URL + "/token", "universe_domain": "googleapis.com",
	})
}

// Grant has a person let an OAuth client in, and returns what the client keeps.
func (s *Server) Grant(email string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	refresh := "1//refresh-" + rand.Text()
	s.grants[refresh] = grant{email, "client.apps.googleusercontent.com", "GOCSPX-secret", scope}
	return toJSON(map[string]string{"type": "authorized_user", "client_id": "client.apps.googleusercontent.com",
		"client_secret": "GOCSPX-secret", "refresh_token": refresh, "token_uri": s.URL + "/token"})
}

// Revoke ends every grant, account and token.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.grants)
	clear(s.accounts)
	clear(s.access)
}

// EndTokens ends the access tokens that were given, sooner than they said.
func (s *Server) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.access)
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// authenticate returns whose token the request carries.
func (s *Server) authenticate(r *http.Request) (string, *apiError) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "", &apiError{401, "UNAUTHENTICATED", "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential.", "CREDENTIALS_MISSING"}
	}
	a, ok := s.access[token]
	if !ok || time.Now().After(a.ends) {
		return "", &apiError{401, "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.", "ACCESS_TOKEN_EXPIRED"}
	}
	if a.scope != scope {
		return "", &apiError{403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
	}
	return a.who, nil
}

// token gives an access token for a signed assertion (RFC 7523) or a refresh
// token (RFC 6749, section 6).
func (s *Server) token(body []byte) (any, *apiError) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, denied(400, "invalid_request", "Bad Request")
	}
	var a access
	var failed *apiError
	switch form.Get("grant_type") {
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		a, failed = s.assertion(form.Get("assertion"))
	case "refresh_token":
		a, failed = s.refresh(form)
	default:
		failed = denied(400, "unsupported_grant_type", "Invalid grant_type: "+form.Get("grant_type"))
	}
	if failed != nil {
		return nil, failed
	}
	token := "ya29." + rand.Text()
	a.ends = time.Now().Add(s.tokenLife)
	s.access[token] = a
	return map[string]any{"access_token": token, "expires_in": int(s.tokenLife.Seconds()), "token_type": "Bearer"}, nil
}

func denied(code int, reason, description string) *apiError {
	return &apiError{code: code, reason: reason, message: description}
}

func (s *Server) refresh(form url.Values) (access, *apiError) {
	g, ok := s.grants[form.Get("refresh_token")]
	switch {
	case !ok:
		return access{}, denied(400, "invalid_grant", "Token has been expired or revoked.")
	case g.client != form.Get("client_id"):
		return access{}, denied(401, "invalid_client", "The OAuth client was not found.")
	case g.secret != form.Get("client_secret"):
		return access{}, denied(401, "invalid_client", "The provided client secret is invalid.")
	}
	return access{who: g.who, scope: g.scope}, nil
}

// assertion checks a service account's JWT.
func (s *Server) assertion(jwt string) (access, *apiError) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return access{}, denied(400, "invalid_request", "Bad Request")
	}
	var header struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !part(parts[0], &header) || !part(parts[1], &claims) {
		return access{}, denied(400, "invalid_grant", "Invalid JWT: the token is malformed.")
	}
	a, ok := s.accounts[claims.Iss]
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	now := time.Now().Unix()
	switch {
	case !ok:
		return access{}, denied(400, "invalid_grant", "Invalid grant: account not found")
	case header.Alg != "RS256" || header.Kid != a.kid || rsa.VerifyPKCS1v15(a.key, crypto.SHA256, sum[:], signature) != nil:
		return access{}, denied(400, "invalid_grant", "Invalid JWT Signature.")
	case claims.Aud != s.URL+"/token":
		return access{}, denied(400, "invalid_grant", "Invalid JWT: Failed audience check.")
	case claims.Iat > now+300 || claims.Exp < now || claims.Exp-claims.Iat > 3600:
		return access{}, denied(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.")
	case claims.Scope == "":
		return access{}, denied(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
	}
	return access{who: claims.Iss, scope: claims.Scope}, nil
}

func part(text string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(b, v) == nil
}
