package api

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/sqltable"
)

// channel is one way that results are delivered.
type channel struct {
	name    shoal.Channel
	key     string // of the request and of the answer
	secrets []string
	read    func(*fields) map[string]any
	unset   map[string]any // what the squid shows before it is set
}

// The keys of the channels.
const (
	channelSheet   = "google_sheet_fields"
	channelS3      = "s3_fields"
	channelSFTP    = "ftp_fields"
	channelWebhook = "webhook_fields"
	channelSlack   = "slack_fields"
	// channelDatabase is a table of a database.
	channelDatabase = "database_fields"
)

var channels = []*channel{
	{shoal.ChannelSheet, channelSheet, []string{credentialsKey}, readSheet, map[string]any{"url": nil, "append": false, "is_active": false}},
	{shoal.ChannelS3, channelS3, []string{"aws_secret_key"}, readS3, map[string]any{"bucket": nil, "target_path": nil, "is_active": false}},
	{shoal.ChannelSFTP, channelSFTP, []string{"password", "private_key"}, readSFTP, map[string]any{"host": nil, "port": 22, "is_active": false}},
	{shoal.ChannelWebhook, channelWebhook, []string{secretKey, formerKey}, readWebhook, map[string]any{"url": nil, "is_active": false}},
	{shoal.ChannelSlack, channelSlack, nil, readSlack, map[string]any{"url": nil, "is_active": false}},
	{shoal.ChannelDatabase, channelDatabase, []string{"url"}, readDatabase, map[string]any{"url": nil, "table": nil, "is_active": false}},
}

func channelOf(key string) *channel {
	return channels[slices.IndexFunc(channels, func(ch *channel) bool { return ch.key == key })]
}

// setDelivery stores the parts given, sealed, and echoes them, masked. It
// dials nothing.
func (a *API) setDelivery(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	s, err := c.squidOf(q)
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	var echo map[string]any
	// A secret made here is shown once: the answer kept for a repeat has it masked.
	ctx := effectCtx(c, http.StatusCreated, func(any) []byte { return appendJSON(nil, maskedEcho(echo)) })
	err = a.store.SetDelivery(ctx, c.ws, s.ID, func(d *shoal.DeliveryConfig) (set []shoal.Channel, err error) {
		echo, set, err = c.readDelivery(f, d)
		d.Wants = a.wants(d)
		return set, err
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, echo)
}

// readDelivery reads the parts given into d and returns what to echo, and which
// channels were set.
func (c *call) readDelivery(f *fields, d *shoal.DeliveryConfig) (echo map[string]any, set []shoal.Channel, err error) {
	echo = map[string]any{}
	if f.has("email") || f.has("notifications") || f.has("email_attachment") || f.has("email_attachment_form") {
		c.readEmail(f, d, echo)
		set = append(set, shoal.ChannelEmail)
	}
	for _, ch := range channels {
		if !f.has(ch.key) {
			continue
		}
		if err := c.readChannel(f, ch, d, echo); err != nil {
			return nil, nil, err
		}
		set = append(set, ch.name)
	}
	if err := f.error(); err != nil {
		return nil, nil, err
	}
	if len(echo) == 0 {
		return nil, nil, shoal.Invalid("ParamsNeeded", "body", "Give one of: email and notifications, %s", channelKeys())
	}
	return echo, set, nil
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
	d.EmailAttach = f.flag("email_attachment", d.EmailAttach)
	echo["email"], echo["notifications"] = orNull(d.Email), d.Notify
	if f.has("email_attachment_form") {
		d.EmailForm = shoal.ExportForm{}
		if given := f.object("email_attachment_form"); given != nil {
			d.EmailForm = given.form()
			f.take(given)
		}
	}
	echo["email_attachment"], echo["email_attachment_form"] = d.EmailAttach, attachmentForm(d)
	echo["notifications_activation_date"] = stamp(d.NotifySince)
}

// attachmentForm is the form of the file that goes with a mail, as the wire has it.
func attachmentForm(d *shoal.DeliveryConfig) map[string]any {
	form := d.EmailForm
	form.Format = cmp.Or(form.Format, shoal.FormatCSV)
	out := map[string]any{}
	putForm(out, form)
	return out
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
		*d.Part(ch.name) = nil
		echo[ch.key] = ch.unset
		return nil
	}
	config := ch.read(given)
	if err := given.error(); err != nil {
		return err
	}
	former := c.a.openChannel(ch, d)
	ch.keepSecrets(config, former)
	if err := ch.whole(given, config); err != nil {
		return err
	}
	made := ch.name == shoal.ChannelWebhook && c.a.rotate(config, former)
	shown := ch.masked(config)
	if made {
		shown[secretKey] = config[secretKey]
	}
	*d.Part(ch.name) = c.a.seal.Seal(deliver.Purpose(ch.name), appendJSON(nil, config))
	echo[ch.key] = shown
	return nil
}

// formerSecretLasts is how long a webhook's former secret signs besides the new one.
const formerSecretLasts = 24 * time.Hour

// rotate settles a webhook's secrets: one that is replaced goes on signing for
// a day. It makes one, and reports so, when there is none.
func (a *API) rotate(config, former map[string]any) (made bool) {
	given, _ := config[secretKey].(string)
	had, _ := former[secretKey].(string)
	switch {
	case had == "" && given == "":
		config[secretKey] = newSecret()
		return true
	case given == "" || given == had:
		config[secretKey] = had
		for _, k := range []string{formerKey, formerUntilKey} {
			if v, ok := former[k]; ok {
				config[k] = v
			}
		}
	case had != "":
		config[formerKey], config[formerUntilKey] = had, a.now().Add(formerSecretLasts).UTC().Format(time.RFC3339)
	}
	return false
}

// newSecret returns 192 random bits for people to copy.
func newSecret() string { return "whsec_" + rand.Text() + rand.Text()[:13] }

// maskedEcho is the echo of a delivery with every secret masked; what is masked
// already stays as it is.
func maskedEcho(echo map[string]any) map[string]any {
	out := cloned(echo)
	for _, ch := range channels {
		if config, ok := out[ch.key].(map[string]any); ok {
			out[ch.key] = ch.masked(config)
		}
	}
	return out
}

// wants says which events each channel asks for.
func (a *API) wants(d *shoal.DeliveryConfig) map[shoal.Channel][]shoal.RunEvent {
	all := map[shoal.Channel][]shoal.RunEvent{}
	for _, ch := range channels {
		if config := a.openChannel(ch, d); config != nil {
			all[ch.name] = deliver.Wants(ch.name, appendJSON(nil, config))
		}
	}
	return all
}

// keepSecrets takes a masked secret, as the API shows it, for the one stored:
// a client may send back what it was shown.
func (ch *channel) keepSecrets(config, former map[string]any) {
	if ch.name == shoal.ChannelSheet {
		keepCredentials(config, former)
	}
	for _, name := range ch.secrets {
		given, _ := config[name].(string)
		had, _ := former[name].(string)
		if given != "" && had != "" && given == ch.mask(had) {
			config[name] = had
		}
	}
}

// whole refuses a masked secret that stands for none.
func (ch *channel) whole(f *fields, config map[string]any) error {
	if link, _ := config["url"].(string); ch.name == shoal.ChannelDatabase && sqltable.Hidden(link) {
		f.bad("url", "%s has a masked password: give the whole one, or the URL exactly as it was shown", f.name("url"))
	}
	return f.error()
}

// openChannel returns the stored config of a channel, nil if there is none. One
// that cannot be opened (its key is gone) counts as none, and is logged.
func (a *API) openChannel(ch *channel, d *shoal.DeliveryConfig) map[string]any {
	sealed := *d.Part(ch.name)
	if len(sealed) == 0 {
		return nil
	}
	plainText, err := a.seal.Open(deliver.Purpose(ch.name), sealed)
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
			out[name] = ch.mask(s)
		}
	}
	return out
}

// mask masks a secret of the channel. That of a database is within its URL.
func (ch *channel) mask(s string) string {
	if ch.name == shoal.ChannelDatabase {
		return sqltable.Masked(s)
	}
	return mask(s)
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
	Database    map[string]any `json:"database_fields"`
}

func (a *API) showDelivery(d *shoal.DeliveryConfig) wireDelivery {
	show := func(key string) map[string]any {
		ch := channelOf(key)
		if config := a.openChannel(ch, d); config != nil {
			return ch.masked(config)
		}
		return ch.unset
	}
	return wireDelivery{show(channelSheet), show(channelSFTP), show(channelS3), show(channelWebhook), show(channelSlack), show(channelDatabase)}
}
