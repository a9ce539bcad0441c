package api

import (
	"net/http"
	"net/url"
	"strings"

	"shoal"
)

// channel is one way that results are delivered.
type channel struct {
	key     string // of the request and of the answer
	purpose string // that its config is sealed for
	secrets []string
	part    func(*shoal.DeliveryConfig) *[]byte
	read    func(*fields) map[string]any
	unset   map[string]any // what the squid shows before it is set
}

// notYetOn says plainly what a stored delivery does in this version.
const notYetOn = "The delivery is stored; sending is not yet on in this version"

const channelEmail = "email"

// The keys of the channels.
const (
	channelSheet   = "google_sheet_fields"
	channelS3      = "s3_fields"
	channelSFTP    = "ftp_fields"
	channelWebhook = "webhook_fields"
	channelSlack   = "slack_fields"
)

var channels = []*channel{
	{channelSheet, "delivery/google_sheet", nil, func(d *shoal.DeliveryConfig) *[]byte { return &d.GoogleSheet }, readSheet,
		map[string]any{"url": nil, "append": false, "is_active": false}},
	{channelS3, "delivery/s3", []string{"aws_secret_key"}, func(d *shoal.DeliveryConfig) *[]byte { return &d.S3 }, readS3,
		map[string]any{"bucket": nil, "target_path": nil, "is_active": false}},
	{channelSFTP, "delivery/sftp", []string{"password", "private_key"}, func(d *shoal.DeliveryConfig) *[]byte { return &d.SFTP }, readSFTP,
		map[string]any{"host": nil, "port": 22, "is_active": false}},
	{channelWebhook, "delivery/webhook", []string{"secret"}, func(d *shoal.DeliveryConfig) *[]byte { return &d.Webhook }, readWebhook,
		map[string]any{"url": nil, "is_active": false}},
	{channelSlack, "delivery/slack", nil, func(d *shoal.DeliveryConfig) *[]byte { return &d.Slack }, readSlack,
		map[string]any{"url": nil, "is_active": false}},
}

func channelOf(key string) *channel {
	for _, ch := range channels {
		if ch.key == key {
			return ch
		}
	}
	return nil
}

// setDelivery stores the parts given, sealed, and echoes them, masked. It
// dials nothing.
func (a *API) setDelivery(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	id, err := needID[shoal.SquidID](q, "squid", shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	s, err := a.store.Squid(c.ctx(), c.ws, id)
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	echo, err := c.readDelivery(f, &s.Delivery)
	if err != nil {
		return err
	}
	echo["detail"] = notYetOn
	body := appendJSON(nil, echo)
	ctx := effectCtx(c, http.StatusCreated, func(any) []byte { return body })
	if err := a.store.SetDelivery(ctx, c.ws, s.ID, s.Delivery); err != nil {
		return err
	}
	return c.send(http.StatusCreated, body)
}

// readDelivery reads the parts given into d and returns what to echo.
func (c *call) readDelivery(f *fields, d *shoal.DeliveryConfig) (map[string]any, error) {
	echo := map[string]any{}
	if f.has("email") || f.has("notifications") {
		c.readEmail(f, d, echo)
	}
	for _, ch := range channels {
		if !f.has(ch.key) {
			continue
		}
		if err := c.readChannel(f, ch, d, echo); err != nil {
			return nil, err
		}
	}
	if err := f.error(); err != nil {
		return nil, err
	}
	if len(echo) == 0 {
		return nil, shoal.Invalid("ParamsNeeded", "body", "Give one of: email and notifications, %s", channelKeys())
	}
	return echo, nil
}

func channelKeys() string {
	var keys []string
	for _, ch := range channels {
		keys = append(keys, ch.key)
	}
	return strings.Join(keys, ", ")
}

func (c *call) readEmail(f *fields, d *shoal.DeliveryConfig, echo map[string]any) {
	if f.has("email") {
		d.Email = f.text("email")
		checkEmail(f, d.Email)
	}
	on := f.flag("notifications", true)
	if on && (!d.Notify || d.NotifySince.IsZero()) {
		d.NotifySince = c.a.now()
	}
	d.Notify = on
	echo["email"], echo["notifications"] = orNull(d.Email), d.Notify
	echo["notifications_activation_date"] = stamp(d.NotifySince)
}

func checkEmail(f *fields, address string) {
	if address != "" && !validEmail(address) {
		f.bad("email", "email is %q, which is no e-mail address", clip(address, 60))
	}
}

// readChannel reads one channel's config; null takes it away.
func (c *call) readChannel(f *fields, ch *channel, d *shoal.DeliveryConfig, echo map[string]any) error {
	given := f.object(ch.key)
	if err := f.error(); err != nil {
		return err
	}
	if given == nil {
		*ch.part(d) = nil
		echo[ch.key] = ch.unset
		return nil
	}
	config := ch.read(given)
	if err := given.error(); err != nil {
		return err
	}
	ch.keepSecrets(config, c.a.openChannel(ch, d))
	*ch.part(d) = c.a.seal.Seal(ch.purpose, appendJSON(nil, config))
	echo[ch.key] = ch.masked(config)
	return nil
}

// keepSecrets takes a masked secret, as the API shows it, for the one stored:
// a client may send back what it was shown.
func (ch *channel) keepSecrets(config, former map[string]any) {
	for _, name := range ch.secrets {
		given, _ := config[name].(string)
		had, _ := former[name].(string)
		if given != "" && had != "" && given == mask(had) {
			config[name] = had
		}
	}
}

// openChannel returns the stored config of a channel, nil if there is none. One
// that cannot be opened (its key is gone) counts as none, and is logged.
func (a *API) openChannel(ch *channel, d *shoal.DeliveryConfig) map[string]any {
	sealed := *ch.part(d)
	if len(sealed) == 0 {
		return nil
	}
	plainText, err := a.seal.Open(ch.purpose, sealed)
	if err != nil {
		a.log.Error("a stored delivery cannot be opened", "channel", ch.key, "err", err)
		return nil
	}
	v, err := parseJSON(plainText)
	if err != nil {
		a.log.Error("a stored delivery cannot be read", "channel", ch.key, "err", err)
		return nil
	}
	m, _ := plain(v).(map[string]any)
	return m
}

// masked returns the config with its secrets cut to their first characters.
func (ch *channel) masked(config map[string]any) map[string]any {
	out := cloned(config)
	for _, name := range ch.secrets {
		if s, ok := out[name].(string); ok && s != "" {
			out[name] = mask(s)
		}
	}
	return out
}

// mask shows a secret's first four characters, if it has others.
func mask(s string) string {
	if len(s) <= 4 {
		return "****"
	}
	return strings.ToValidUTF8(s[:4], "") + "****"
}

// wireDelivery is how a squid shows its deliveries.
type wireDelivery struct {
	GoogleSheet map[string]any `json:"google_sheet_fields"`
	SFTP        map[string]any `json:"ftp_fields"`
	S3          map[string]any `json:"s3_fields"`
	Webhook     map[string]any `json:"webhook_fields"`
	Slack       map[string]any `json:"slack_fields"`
}

func (a *API) showDelivery(d *shoal.DeliveryConfig) wireDelivery {
	show := func(key string) map[string]any {
		ch := channelOf(key)
		if config := a.openChannel(ch, d); config != nil {
			return ch.masked(config)
		}
		return ch.unset
	}
	return wireDelivery{show(channelSheet), show(channelSFTP), show(channelS3), show(channelWebhook), show(channelSlack)}
}

func readSheet(f *fields) map[string]any {
	f.required("url")
	link := f.text("url")
	if u, err := url.Parse(link); f.err == nil && (err != nil || u.Scheme != "https" || u.Host != "docs.google.com") {
		f.bad("url", "%surl is %q; it must be the address of a Google sheet (https://docs.google.com/spreadsheets/…)", f.path, clip(link, 80))
	}
	return map[string]any{"url": link, "append": f.flag("append", false), "is_active": f.flag("is_active", true)}
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
	return out
}

func readSFTP(f *fields) map[string]any {
	f.required("host", "username")
	out := map[string]any{"host": f.text("host"), "port": f.integer("port", 22, 1, 65535), "username": f.text("username"),
		"directory": f.text("directory"), "is_active": f.flag("is_active", true)}
	if h := f.text("host"); f.err == nil && (strings.ContainsAny(h, "/ @") || h == "") {
		f.bad("host", "%shost is %q; it must be a host name or address alone", f.path, clip(h, 80))
	}
	for _, name := range []string{"password", "private_key"} {
		if v := f.text(name); v != "" {
			out[name] = v
		}
	}
	if f.err == nil && out["password"] == nil && out["private_key"] == nil {
		f.fail(shoal.Invalid("ParamsNeeded", f.name("password"), "%spassword or %sprivate_key is required", f.path, f.path))
	}
	return out
}

// webhookEvents are the events that a webhook may ask for, and whether it gets
// them when it does not say.
var webhookEvents = map[string]bool{"run.running": false, "run.paused": false, "run.done": true, "run.error": true}

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
	for name, def := range webhookEvents {
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
	if v := f.text("secret"); v != "" {
		out["secret"] = v
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

// wireTest is the answer to the test of a delivery.
type wireTest struct {
	Success    bool   `json:"success"`
	StatusCode int    `json:"status_code"`
	Detail     string `json:"detail"`
}

// testDelivery checks the fields as storing them would and says that nothing
// was sent.
func (a *API) testDelivery(key string) func(*call) error {
	return func(c *call) error {
		f, err := c.decode()
		if err != nil {
			return err
		}
		if key == channelEmail {
			f.required("email")
			checkEmail(f, f.text("email"))
		} else {
			channelOf(key).read(f)
		}
		if err := f.error(); err != nil {
			return err
		}
		return c.json(http.StatusOK, wireTest{false, http.StatusNotImplemented,
			"The fields are well formed. Nothing was sent: sending is not yet on in this version"})
	}
}
