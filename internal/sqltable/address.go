package sqltable

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"shoal"
)

// kindOf is a kind of database.
type kindOf int

const (
	kindPostgres kindOf = iota
	kindMySQL
	kindSQLite
)

// address is what a URL says.
type address struct {
	kind           kindOf
	host           string
	port           string
	user, password string
	database       string
	file           string // of SQLite, below the directory
	schema, table  string
	mode           sslMode
	roots          *x509.CertPool // nil: the system's
	binding        bool           // channel binding is required
}

// sslMode says how far a connection is encrypted, in the words of PostgreSQL.
type sslMode string

const (
	sslDisable sslMode = "disable"
	sslPrefer  sslMode = "prefer"
	sslRequire sslMode = "require"
	sslCA      sslMode = "verify-ca"
	sslFull    sslMode = "verify-full"
)

// sslWords are what the values of sslmode, ssl-mode and tls stand for: those
// of PostgreSQL, of MySQL's programs and of its driver for Go.
var sslWords = map[string]sslMode{
	"disable": sslDisable, "prefer": sslPrefer, "allow": sslPrefer, "require": sslRequire, "verify-ca": sslCA, "verify-full": sslFull,
	"disabled": sslDisable, "preferred": sslPrefer, "required": sslRequire, "verify_ca": sslCA, "verify_identity": sslFull,
	"false": sslDisable, "skip-verify": sslRequire, "true": sslFull,
}

// harmless are parameters that providers put into the URLs they show, and that
// change nothing here.
var harmless = []string{"application_name", "connect_timeout", "pgbouncer", "charset", "parsetime", "loc", "collation", "timeout"}

// parseURL reads a URL such as postgres://user:password@host:5432/database. Its
// errors never quote it: it holds a password.
func parseURL(text string) (*address, *shoal.Error) {
	const param = "url"
	if text == "" {
		return nil, shoal.Invalid("ParamsNeeded", param, "url is required: postgres://user:password@host:5432/database, mysql://user:password@host:3306/database or sqlite:///file.db")
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > 2000 {
		return nil, invalid(param, "url is no URL: write the special characters of its password as %%XX (@ is %%40, / is %%2F, # is %%23)")
	}
	at := &address{host: u.Hostname(), port: u.Port(), user: u.User.Username(), database: strings.TrimPrefix(u.Path, "/"), mode: sslPrefer}
	at.password, _ = u.User.Password()
	def := ""
	switch strings.ToLower(u.Scheme) {
	case "postgres", "postgresql":
		at.kind, def = kindPostgres, "5432"
	case "mysql", "mariadb":
		at.kind, def = kindMySQL, "3306"
	case "sqlite", "sqlite3":
		at.kind = kindSQLite
		return at, at.checkFile(u)
	default:
		return nil, invalid(param, "url begins with %q; it must begin with postgres://, mysql:// or sqlite:///", clip(u.Scheme))
	}
	if at.port == "" {
		at.port = def
	}
	if n, err := strconv.Atoi(at.port); err != nil || n < 1 || n > 65535 {
		return nil, invalid(param, "url has the port %q; it must be a number from 1 to 65535", clip(at.port))
	}
	switch {
	case at.host == "" || strings.ContainsAny(at.host, "/\\,()@ %"):
		return nil, invalid(param, "url needs the name or address of one host after the //, not a list or a socket")
	case u.Fragment != "":
		return nil, invalid(param, "url has a #: in a password, write it as %%23")
	case at.user == "":
		return nil, invalid(param, "url needs a user: %s://user:password@%s/database", u.Scheme, at.host)
	case at.database == "" || strings.ContainsAny(at.database, "/\x00"):
		return nil, invalid(param, "url needs the name of one database after the host")
	}
	return at, at.readParams(u)
}

// readParams takes the parameters that are known and refuses the others: many
// of those that drivers know name files of this machine.
func (at *address) readParams(u *url.URL) *shoal.Error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("url", "url has parameters after ? that cannot be read")
	}
	for _, name := range sortedKeys(q) {
		value := q.Get(name)
		switch lower := strings.ToLower(name); {
		case lower == "sslmode" || lower == "ssl-mode" || lower == "tls":
			mode, ok := sslWords[strings.ToLower(value)]
			if !ok {
				return invalid("url", "url has %s=%s; it must be disable, prefer, require, verify-ca or verify-full", clip(name), clip(value))
			}
			at.mode = mode
		case lower == "channel_binding" && at.kind == kindPostgres:
			at.binding = value == "require"
		case slices.Contains(harmless, lower):
		default:
			return invalid("url", "url has the parameter %s, which is not taken: sslmode is", clip(name))
		}
	}
	return nil
}

func sortedKeys(q url.Values) []string {
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkFile reads the file of a sqlite:///file.db.
func (at *address) checkFile(u *url.URL) *shoal.Error {
	if u.Host != "" || u.User != nil || u.Opaque != "" {
		return invalid("url", "url must have three slashes: sqlite:///file.db")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return invalid("url", "url takes no parameters after the file: sqlite:///file.db")
	}
	at.file = at.database
	if why := badFile(at.file); why != "" {
		return invalid("url", "url names the file %q: %s", clip(at.file), why)
	}
	return nil
}

// readCA reads the certificates to trust.
func (at *address) readCA(text string) *shoal.Error {
	if text == "" {
		return nil
	}
	at.roots = x509.NewCertPool()
	if !at.roots.AppendCertsFromPEM([]byte(text)) {
		return invalid("ca", "ca holds no certificate in PEM form: give it from -----BEGIN CERTIFICATE----- to its END line")
	}
	if at.mode == sslPrefer || at.mode == sslRequire {
		at.mode = sslFull // who names an authority wants it checked
	}
	return nil
}

// tls returns the TLS config of the address, nil when none is used.
func (at *address) tls() *tls.Config {
	c := &tls.Config{ServerName: at.host, RootCAs: at.roots, MinVersion: tls.VersionTLS12}
	switch at.mode {
	case sslDisable:
		return nil
	case sslPrefer, sslRequire:
		c.InsecureSkipVerify = true // encrypted, and not proven: that is what these words mean
	case sslCA:
		// The chain is checked and the name is not.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, at.roots) }
	}
	return c
}

func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	return err
}

// hostPort is what is dialled.
func (at *address) hostPort() string { return net.JoinHostPort(at.host, at.port) }

// Masked returns the URL with its password replaced by stars; what is no URL
// is replaced altogether.
func Masked(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "****"
	}
	if _, has := u.User.Password(); !has {
		return text
	}
	const stand = "shoal-password"
	u.User = url.UserPassword(u.User.Username(), stand)
	return strings.Replace(u.String(), ":"+stand+"@", ":****@", 1)
}

// Hidden reports whether the password of the URL is masked.
func Hidden(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	password, _ := u.User.Password()
	return password == "****"
}

// Where names the table of a config for people, without secrets: host, database
// and table. Empty when the config cannot be read.
func (c *Config) Where() string {
	at, err := c.check()
	if err != nil {
		return ""
	}
	return at.where()
}

func (at *address) where() string {
	table := at.table
	if at.schema != "" {
		table = at.schema + "." + table
	}
	if at.kind == kindSQLite {
		return at.file + " " + table
	}
	return at.host + "/" + at.database + " " + table
}

// Host is the name that is dialled; empty for SQLite.
func (c *Config) Host() string {
	at, err := parseURL(c.URL)
	if err != nil {
		return ""
	}
	return at.host
}
