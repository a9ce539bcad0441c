package main

import (
	"shoal/internal/deliver"
	"shoal/internal/fetch"
	"shoal/internal/safedial"
	"shoal/internal/seal"
)

// deliverWorkers is how many deliveries go out at a time: each mostly waits for
// somebody else's server, for up to half a minute.
const deliverWorkers = 32

// deliveryFlags configure how results leave the platform.
type deliveryFlags struct {
	AllowPrivateDeliveries bool `help:"Deliver to private and loopback addresses too (webhooks, mail, buckets, servers)." env:"SHOAL_ALLOW_PRIVATE_DELIVERIES"`
}

// newDeliver returns the service of deliveries. Its dialer is not the
// fetcher's: that a site inside may be visited does not say that results may
// be sent there, nor the other way round.
func (p *platform) newDeliver(keys *seal.Keyring) *deliver.Service {
	dialer := safedial.New(safedial.Options{
		AllowPrivate: p.cfg.DeliveryFlags.AllowPrivateDeliveries,
		Hint:         "to deliver to private addresses, start with --allow-private-deliveries (SHOAL_ALLOW_PRIVATE_DELIVERIES=true)",
	})
	return deliver.New(deliver.Options{
		Store: p.store, Seal: keys, Dial: dialer.DialContext,
		UserAgent: fetch.DefaultUserAgent(version), Logger: p.cfg.log,
	})
}
