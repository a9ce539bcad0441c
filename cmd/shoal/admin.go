package main

import (
	"context"
	"errors"
	"fmt"

	"shoal"
	"shoal/client"
	"shoal/internal/store"
)

// adminCmd holds the verbs of those who run the server; each noun is a file.
type adminCmd struct {
	User      adminUserCmd      `cmd:"" help:"Users: list, make, change, switch off and on."`
	Key       adminKeyCmd       `cmd:"" help:"API keys: list, make, revoke."`
	Workspace adminWorkspaceCmd `cmd:"" help:"Workspaces: list, rename."`
	Plan      adminPlanCmd      `cmd:"" help:"Plans: list, make, change, delete, assign to workspaces."`
	Credit    adminCreditCmd    `cmd:"" help:"Credits of workspaces: show, grant, list their movements."`
	Invoice   adminInvoiceCmd   `cmd:"" help:"Invoices: list, record, pay, cancel."`
	Crawler   adminCrawlerCmd   `cmd:"" help:"Crawlers: put under maintenance, switch off and on."`
	Retention adminRetentionCmd `cmd:"" help:"What is kept for how long: files of results, and results."`
	Seal      adminSealCmd      `cmd:"" help:"The key that seals cookies, passwords and delivery secrets: replace it."`
	Backup    adminBackup       `cmd:"" help:"Copy all of a data directory, while the server runs."`
	Doctor    adminDoctor       `cmd:"" help:"Check the data, the disk, the keys, the queue and the clock, and say what to do."`
}

// Help is the long help of the verb.
func (adminCmd) Help() string {
	return `Without --server these verbs open the data directory (--data) or the PostgreSQL
database (--database) themselves, as its owner; a data directory whose server is running
is reached through that server:
  shoal admin user ls --server http://127.0.0.1:8080 --key KEY
KEY is a key of scope admin, and its user one of the staff.`
}

// adminFlags say on what an admin verb acts: a server, by the staff's API, or
// the data directory or database itself, by the same API in this process.
type adminFlags struct {
	Server string `help:"Ask this server; without it the data directory is opened." env:"SHOAL_SERVER" placeholder:"URL"`
	Token  string `help:"API key of the server, of scope admin." env:"SHOAL_TOKEN" short:"k" name:"key" placeholder:"KEY"`
	JSON   bool   `help:"Print JSON, as the API answers." name:"json"`
	homeFlags
}

// homeFlags say where Shoal's data is.
type homeFlags struct {
	Data      string       `help:"Data directory; ./shoal-data unless given." default:"./shoal-data" env:"SHOAL_DATA" type:"path" placeholder:"DIR"`
	Database  string       `help:"PostgreSQL URL; without it SQLite in the data directory." env:"SHOAL_DATABASE" placeholder:"URL"`
	SecretKey string       `help:"Key that seals secrets at rest; without it the data directory's." env:"SHOAL_SECRET_KEY" placeholder:"KEY"`
	Verbose   bool         `help:"Log what happens inside." short:"v"`
	Storage   storageFlags `embed:""`
}

// with does act with a client of the server, or of the data in this process.
func (f *adminFlags) with(ctx context.Context, o *output, act func(*client.Client) error) error {
	if f.Server != "" {
		flags := serverFlags{Server: f.Server, Token: f.Token}
		api, err := flags.client()
		if err != nil {
			return err
		}
		return act(api)
	}
	return f.open(ctx, o, func(p *platform) error { return act(p.client()) })
}

// open does act with the platform on the data, which works no runs meanwhile.
func (f *homeFlags) open(ctx context.Context, o *output, act func(*platform) error) error {
	if err := f.exists(); err != nil {
		return err
	}
	flags := platformFlags{Data: f.Data, Database: f.Database, SecretKey: f.SecretKey, Verbose: f.Verbose, Storage: f.Storage}
	cfg := flags.config(o)
	cfg.work = false
	p, err := openPlatform(ctx, cfg)
	if shoal.CodeOf(err) == "DataDirInUse" {
		return fmt.Errorf("the data directory %s is in use: if a server runs there, speak to it with --server http://127.0.0.1:8080 --key KEY (or stop it): %w", f.Data, err)
	}
	if err != nil {
		return err
	}
	stop := p.start()
	return errors.Join(act(p), stop())
}

// exists refuses a data directory that nothing was ever kept in: a mistyped
// name would make a new, empty installation.
func (f *homeFlags) exists() error {
	if f.Database != "" || store.Exists(f.Data) {
		return nil
	}
	return &exit{exitUsage, fmt.Errorf("there is no Shoal data in %s: name its directory with --data, or start it with: shoal serve --data %[1]s", f.Data)}
}
