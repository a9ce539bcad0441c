package main

import (
	"crypto/x509"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"strings"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/fetch"
	"shoal/internal/safedial"
	"shoal/internal/seal"
	"shoal/internal/sqltable"
)

// deliverWorkers is how many deliveries go out at a time: each mostly waits for
// somebody else's server, for up to half a minute.
const deliverWorkers = 32

// deliveryFlags configure how results leave the platform.
type deliveryFlags struct {
	AllowPrivateDeliveries bool      `help:"Deliver to private and loopback addresses too (webhooks, mail, buckets, servers)." env:"SHOAL_ALLOW_PRIVATE_DELIVERIES"`
	GoogleCredentials      string    `help:"Key file (JSON) of the Google account that writes sheets of squids without credentials of their own." env:"SHOAL_GOOGLE_CREDENTIALS" type:"path" placeholder:"FILE"`
	GoogleEndpoint         string    `help:"Where the Google Sheets API is, if it is reached by a gateway." env:"SHOAL_GOOGLE_ENDPOINT" placeholder:"URL"`
	DeliveryDir            string    `help:"Directory below which deliveries may write SQLite files, each workspace in one of its own; without it none are written." env:"SHOAL_DELIVERY_DIR" type:"path" placeholder:"DIR"`
	SMTP                   smtpFlags `embed:"" prefix:"smtp-" envprefix:"SHOAL_SMTP_"`
}

// smtpFlags say how mails are sent.
type smtpFlags struct {
	Host     string `help:"Mail server that e-mails go through; without it none are sent." env:"HOST" placeholder:"HOST"`
	Port     int    `help:"Its port; 587 for starttls, 465 for tls, 25 for none unless given." env:"PORT"`
	TLS      string `help:"starttls (required), tls (from the first byte) or none." enum:"starttls,tls,none" default:"starttls" env:"TLS"`
	User     string `help:"User name, if the server wants one." env:"USER"`
	Password string `help:"Password of the user." env:"PASSWORD"`
	From     string `help:"Sender of the e-mails: Shoal <shoal@example.com>." env:"FROM" placeholder:"ADDRESS"`
	CA       string `help:"File of certificates (PEM) to trust instead of the system's." env:"CA" type:"path" placeholder:"FILE"`
}

// server checks the flags and returns what they describe.
func (f smtpFlags) server() (deliver.MailServer, error) {
	s := deliver.MailServer{Host: f.Host, Port: f.Port, TLS: f.TLS, Username: f.User, Password: f.Password, From: f.From}
	if f.Host == "" {
		return deliver.MailServer{}, nil
	}
	if _, err := mail.ParseAddress(f.From); err != nil {
		return s, &exit{exitUsage, fmt.Errorf("--smtp-from is %q; it must be an address such as Shoal <shoal@example.com>", f.From)}
	}
	if s.Port == 0 {
		s.Port = map[string]int{"starttls": 587, "tls": 465, "none": 25}[f.TLS]
	}
	if f.CA == "" {
		return s, nil
	}
	text, err := os.ReadFile(f.CA)
	if err != nil {
		return s, &exit{exitUsage, fmt.Errorf("--smtp-ca: %w", err)}
	}
	s.Roots = x509.NewCertPool()
	if !s.Roots.AppendCertsFromPEM(text) {
		return s, &exit{exitUsage, fmt.Errorf("--smtp-ca: %s holds no certificates in PEM form", f.CA)}
	}
	return s, nil
}

// google checks the flags of Google Sheets and returns what they describe.
func (f *deliveryFlags) google() (deliver.Google, error) {
	g := deliver.Google{Endpoint: strings.TrimRight(f.GoogleEndpoint, "/")}
	if u, err := url.Parse(g.Endpoint); g.Endpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "") {
		return g, &exit{exitUsage, fmt.Errorf("--google-endpoint is %q; it must be an address such as https://sheets.googleapis.com", f.GoogleEndpoint)}
	}
	if f.GoogleCredentials == "" {
		return g, nil
	}
	text, err := os.ReadFile(f.GoogleCredentials)
	if err != nil {
		return g, &exit{exitUsage, fmt.Errorf("--google-credentials: %w", err)}
	}
	if g.Key, err = deliver.ParseGoogleKey(text); err != nil {
		return g, &exit{exitUsage, fmt.Errorf("--google-credentials: the credentials in %s cannot be used: %w", f.GoogleCredentials, err)}
	}
	return g, nil
}

// newDeliver returns the service of deliveries. Its dialer is not the
// fetcher's: that a site inside may be visited does not say that results may
// be sent there, nor the other way round.
func (p *platform) newDeliver(keys *seal.Keyring) (*deliver.Service, error) {
	mails, err := p.cfg.DeliveryFlags.SMTP.server()
	if err != nil {
		return nil, err
	}
	google, err := p.cfg.DeliveryFlags.google()
	if err != nil {
		return nil, err
	}
	dialer := safedial.New(safedial.Options{
		AllowPrivate: p.cfg.DeliveryFlags.AllowPrivateDeliveries,
		Hint:         "to deliver to private addresses, start with --allow-private-deliveries (SHOAL_ALLOW_PRIVATE_DELIVERIES=true)",
	})
	if dir := p.cfg.DeliveryFlags.DeliveryDir; dir != "" {
		if p.tables, err = sqltable.OpenDir(dir, p.cfg.Data); err != nil {
			return nil, &exit{exitUsage, fmt.Errorf("--delivery-dir: %w", err)}
		}
	}
	return deliver.New(deliver.Options{
		Store: p.store, Seal: keys, Dial: dialer.DialContext,
		Exports: p.runs, Blob: p.blobs, Columns: p.runs.Attributes, Rows: p.runs.Rows, Mail: mails, Google: google, UserAgent: fetch.DefaultUserAgent(version), Logger: p.cfg.log,
		Tables: sqltable.Options{Dir: p.tables},
		Link:   func(ws shoal.WorkspaceID, run shoal.RunID) string { return p.api.ResultsLink(ws, run) },
	}), nil
}
