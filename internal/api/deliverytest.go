package api

import (
	"net/http"
	"net/url"

	"shoal"
	"shoal/internal/deliver"
)

// wireTest is the answer to the test of a delivery.
type wireTest struct {
	Success    bool   `json:"success"`
	StatusCode int    `json:"status_code"`
	Detail     string `json:"detail"`
}

// testDelivery sends a test message the way a delivery goes. The fields are
// those of the channel, flat. With ?squid= what is not given, and secrets as
// they are shown, are those that the squid has stored.
func (a *API) testDelivery(key string) func(*call) error {
	ch := channelOf(key)
	return func(c *call) error {
		stored, err := c.storedChannel(ch)
		if err != nil {
			return err
		}
		f, err := c.decode()
		if err != nil {
			return err
		}
		config := stored
		if len(f.m) > 0 || stored == nil {
			if config = ch.read(f); f.error() != nil {
				return f.error()
			}
			ch.keepSecrets(config, stored)
			if err := ch.whole(f, config); err != nil {
				return err
			}
		}
		return c.sendTest(ch.name, config)
	}
}

// testEmail sends a test e-mail.
func (a *API) testEmail(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("email")
	to := f.text("email")
	checkEmail(f, to)
	if err := f.error(); err != nil {
		return err
	}
	return c.sendTest(shoal.ChannelEmail, map[string]any{"email": to})
}

func (c *call) sendTest(name shoal.Channel, config map[string]any) error {
	answer := c.a.deliver.TestOf(c.ctx(), c.ws, name, appendJSON(nil, config))
	return c.json(http.StatusOK, wireTest{answer.OK, answer.Status, answer.Detail})
}

// storedChannel returns the channel's config of the squid that the query
// names; nil without one.
func (c *call) storedChannel(ch *channel) (map[string]any, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	if !q.Has("squid") {
		return nil, nil
	}
	s, err := c.squidOf(q)
	if err != nil {
		return nil, err
	}
	config := c.a.openChannel(ch, &s.Delivery)
	if config == nil {
		return nil, shoal.Invalid("ParamsNeeded", ch.key, "The squid has no %s stored: give the fields to test", ch.key)
	}
	return config, nil
}

// squidOf returns the squid of the query.
func (c *call) squidOf(q url.Values) (shoal.Squid, error) {
	id, err := needID[shoal.SquidID](q, "squid", shoal.ErrSquidNotFound)
	if err != nil {
		return shoal.Squid{}, err
	}
	return c.a.store.Squid(c.ctx(), c.ws, id)
}

var _ Deliverer = (*deliver.Service)(nil)
