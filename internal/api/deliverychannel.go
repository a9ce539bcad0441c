package api

import (
	"cmp"
	"net/url"
	"strings"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/sqltable"
)

func readSheet(f *fields) map[string]any {
	f.required("url")
	link := f.text("url")
	if _, _, err := deliver.SheetLink(link); f.err == nil && err != nil {
		f.bad("url", "%s is %q; %s", f.name("url"), clip(link, 80), err)
	}
	out := map[string]any{"url": link, "append": f.flag("append", false), "is_active": f.flag("is_active", true)}
	if tab := f.text("sheet"); len(tab) > 100 {
		f.bad("sheet", "%s has %d bytes; the name of a tab has at most 100", f.name("sheet"), len(tab))
	} else if tab != "" {
		out["sheet"] = tab
	}
	readGoogleKey(f, out)
	return out
}

// The keys of a sheet's credentials, and of whose they are.
const (
	credentialsKey = "credentials"
	accountKey     = "account"
)

// readGoogleKey takes credentials as text or as an object, and shows whom the
// sheet must be shared with. null takes them away; without a word of them, or
// masked as they are shown, they stay (keepCredentials).
func readGoogleKey(f *fields, out map[string]any) {
	given := f.m[credentialsKey]
	if s, ok := given.(string); ok && strings.HasSuffix(s, "****") {
		out[credentialsKey] = s
		return
	}
	if given == nil || given == "" {
		if f.has(credentialsKey) {
			out[credentialsKey] = nil
		}
		return
	}
	if _, ok := given.(string); !ok {
		object := f.object(credentialsKey)
		if object == nil {
			return
		}
		given = plain(object.m)
	}
	text, account, err := deliver.GoogleCredentials(given)
	if err != nil {
		f.bad(credentialsKey, "%s: %s", f.name(credentialsKey), err)
		return
	}
	out[credentialsKey] = text
	if account != "" {
		out[accountKey] = account
	}
}

// keepCredentials leaves a sheet its credentials when nothing else was said:
// clients of lobstr.io know of none.
func keepCredentials(config, former map[string]any) {
	had, _ := former[credentialsKey].(string)
	given, said := config[credentialsKey]
	if had == "" || said && given != had && given != mask(had) {
		return
	}
	config[credentialsKey] = had
	if account, ok := former[accountKey]; ok {
		config[accountKey] = account
	}
}

func readS3(f *fields) map[string]any {
	f.required("bucket")
	out := map[string]any{"bucket": f.text("bucket"), "target_path": f.text("target_path"), "is_active": f.flag("is_active", true)}
	if b := f.text("bucket"); f.err == nil && (len(b) < 3 || len(b) > 63 || strings.ContainsAny(b, "/ \\?#")) {
		f.bad("bucket", "%sbucket is %q; it must be the name of an S3 bucket, without a scheme or path", f.path, clip(b, 80))
	}
	for _, name := range []string{"aws_access_key", "aws_secret_key", "endpoint", "region"} {
		if v := f.text(name); v != "" {
			out[name] = v
		}
	}
	if e, ok := out["endpoint"].(string); ok {
		checkURL(f, "endpoint", e)
	}
	putForm(out, f.form())
	return out
}

// putForm adds the form of a file to a channel's config.
func putForm(out map[string]any, form shoal.ExportForm) {
	out["format"] = form.Format
	for name, list := range map[string][]string{"fields": form.Fields, "omit": form.Omit} {
		if len(list) > 0 {
			out[name] = list
		}
	}
	for name, on := range map[string]bool{"bom": form.BOM, "guard_formulas": form.GuardFormulas, "dotted": form.Dotted} {
		if on {
			out[name] = true
		}
	}
}

func readSFTP(f *fields) map[string]any {
	f.required("host", "username")
	out := map[string]any{"host": f.text("host"), "port": f.integer("port", 22, 1, 65535), "username": f.text("username"),
		"directory": f.text("directory"), "is_active": f.flag("is_active", true)}
	if h := f.text("host"); f.err == nil && (strings.ContainsAny(h, "/ @") || h == "") {
		f.bad("host", "%shost is %q; it must be a host name or address alone", f.path, clip(h, 80))
	}
	for _, name := range []string{"password", "private_key", "host_key"} {
		if v := f.text(name); v != "" {
			out[name] = v
		}
	}
	if key, ok := out["host_key"].(string); ok && f.err == nil {
		if err := deliver.CheckHostKey(key); err != nil {
			f.bad("host_key", "%shost_key is %q; %v", f.path, clip(key, 60), err)
		}
	}
	if f.err == nil && out["password"] == nil && out["private_key"] == nil {
		f.fail(shoal.Invalid("ParamsNeeded", f.name("password"), "%spassword or %sprivate_key is required", f.path, f.path))
	}
	putForm(out, f.form())
	return out
}

// webhookEvents are the events that a webhook may ask for, and whether it gets
// them when it does not say.
var webhookEvents = map[shoal.RunEvent]bool{
	shoal.EventRunRunning: false, shoal.EventRunPaused: false, shoal.EventRunDone: true, shoal.EventRunError: true, shoal.EventRunAborted: false,
}

// The keys of a webhook's secrets.
const (
	secretKey      = "secret"
	formerKey      = "former_secret"
	formerUntilKey = "former_secret_until"
)

// readWebhook accepts events both flat ("run.done") and nested (run: {done}).
func readWebhook(f *fields) map[string]any {
	f.required("url")
	link := f.text("url")
	checkURL(f, "url", link)
	events := map[string]any{}
	given := f.object("events")
	var nested *fields
	if given != nil {
		nested = given.object("run")
	}
	for event, def := range webhookEvents {
		name := string(event)
		events[name] = def
		if nested != nil {
			events[name] = nested.flag(strings.TrimPrefix(name, "run."), def)
		}
		if given != nil && given.has(name) {
			events[name] = given.flag(name, def)
		}
	}
	f.take(nested)
	f.take(given)
	out := map[string]any{"url": link, "is_active": f.flag("is_active", true), "retry": f.flag("retry", true), "events": events}
	if v := f.text(secretKey); v != "" {
		out[secretKey] = v
	}
	return out
}

func readSlack(f *fields) map[string]any {
	f.required("url")
	link := f.text("url")
	checkURL(f, "url", link)
	return map[string]any{"url": link, "is_active": f.flag("is_active", true)}
}

func checkURL(f *fields, key, link string) {
	u, err := url.Parse(link)
	if f.err == nil && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(link) > 2000) {
		f.bad(key, "%s is %q; it must be an http or https address", f.name(key), clip(link, 80))
	}
}

// readDatabase reads the fields of a table. Lists may be given as texts with
// commas, as the command line has them.
func readDatabase(f *fields) map[string]any {
	f.required("url", "table")
	c := sqltable.Config{
		URL: f.text("url"), Schema: f.text("schema"), Table: f.text("table"), Mode: sqltable.Mode(f.text("mode")), CA: f.text("ca"),
		Key: f.listed("key"), Fields: f.listed("fields"), Omit: f.listed("omit"), Columns: f.renamed("columns"),
	}
	create := f.flag("create", true)
	out := map[string]any{"url": c.URL, "table": c.Table, "mode": string(cmp.Or(c.Mode, sqltable.Upsert)), "create": create, "is_active": f.flag("is_active", true)}
	if f.err == nil {
		if err := c.Check(); err != nil {
			err.Message, err.Param = strings.Replace(err.Message, err.Param, f.name(err.Param), 1), f.name(err.Param)
			f.fail(err)
		}
	}
	for name, list := range map[string][]string{"key": c.Key, "fields": c.Fields, "omit": c.Omit} {
		if len(list) > 0 {
			out[name] = list
		}
	}
	for name, text := range map[string]string{"schema": c.Schema, "ca": c.CA} {
		if text != "" {
			out[name] = text
		}
	}
	if len(c.Columns) > 0 {
		out["columns"] = c.Columns
	}
	return out
}

// listed returns a list of names, given as an array or as one text with commas;
// nil when it is absent, null or empty.
func (f *fields) listed(key string) []string {
	text, ok := f.m[key].(string)
	if !ok {
		return f.names(key)
	}
	var all []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// renamed returns an object of strings.
func (f *fields) renamed(key string) map[string]string {
	o := f.object(key)
	if o == nil {
		return nil
	}
	all := map[string]string{}
	for name := range o.m {
		all[name] = o.text(name)
	}
	f.take(o)
	return all
}
