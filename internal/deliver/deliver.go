// Package deliver sends what happens to runs, and their results, to where
// people want them: a webhook, an e-mail, a bucket, a server, a table.
//
// # Promises
//
// A delivery is a row that was written in the transaction of the event it
// tells of. It is attempted until the other side has accepted it or its
// channel's policy gives it up, in the order of the events at each target (a
// channel of a squid). What cannot be recorded, because the disk is full, is
// remembered and not sent again as long as the process lives. A process that
// dies between sending and recording sends once more, with the same delivery
// id: at least once, and at most one repeat for a death. What the other side
// said is kept with the row.
//
// A test of a channel takes the same path as a delivery. Every address is
// dialled through the dialer of deliveries, which has a switch of its own.
package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"time"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/export"
	"shoal/internal/seal"
	"shoal/internal/sqltable"
)

// Dial connects to an address that a person gave.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Options are what a Service stands on.
type Options struct {
	Store Store
	Seal  *seal.Keyring
	Dial  Dial
	// Exports gives the results of runs as files; nil: those that stand in Blob.
	Exports Exports
	// Blob holds the files of exports.
	Blob blob.Store
	// Columns returns the fields of a run's results in the crawler's order, and
	// Rows what is exported of them: channels that are tables write these.
	Columns func(ctx context.Context, run *shoal.Run) ([]shoal.Attribute, error)
	Rows    func(ctx context.Context, run *shoal.Run) export.Rows
	// Google is how sheets are reached.
	Google Google
	// Tables bounds the writing of tables and says where SQLite files are; they
	// are dialled by Dial.
	Tables sqltable.Options
	// Mail is where mails are handed in; the zero value sends none.
	Mail MailServer
	// Link may be nil: no links.
	Link Link
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// UserAgent of the requests that deliveries make.
	UserAgent string
	// Logger may be nil: no logs.
	Logger *slog.Logger
}

// Service sends deliveries.
type Service struct {
	Options
	senders map[shoal.Channel]sender
	owed    owed
}

// New returns a Service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{Options: o}
	found := &files{o.Exports, o.Store, o.Blob}
	o.Tables.Dial = o.Dial
	s.senders = map[shoal.Channel]sender{
		shoal.ChannelWebhook: &webhook{dial: o.Dial, userAgent: o.UserAgent, now: o.Now},
		shoal.ChannelSlack:   &slack{dial: o.Dial, userAgent: o.UserAgent, link: o.Link},
		shoal.ChannelEmail:   &email{dial: o.Dial, server: o.Mail, link: o.Link, files: found},
		shoal.ChannelS3:      &bucket{dial: o.Dial, files: found},
		shoal.ChannelSFTP:    &server{dial: o.Dial, files: found},
		shoal.ChannelSheet:   &sheet{dial: o.Dial, store: o.Store, google: o.Google, userAgent: o.UserAgent, columns: o.Columns, rows: o.Rows},
		shoal.ChannelDatabase: &database{
			tables: sqltable.New(o.Tables), run: o.Store, columns: o.Columns, rows: o.Rows},
	}
	return s
}

// parcel is one delivery on its way, or a test.
type parcel struct {
	delivery *shoal.Delivery
	config   []byte // the channel's JSON, opened
}

// read decodes the channel's config into v.
func (p *parcel) read(v any) error {
	if err := json.Unmarshal(p.config, v); err != nil {
		return fmt.Errorf("read the settings of the delivery: %w", err)
	}
	return nil
}

// Answer is what came of an attempt.
type Answer struct {
	OK bool
	// Status is the other side's own code (of HTTP, SMTP), 0 when it gave none.
	Status int
	// Detail says what the other side said or why it was not reached, and what
	// to change. It holds no secrets.
	Detail string
	// Target says where the attempt went, without secrets.
	Target string
	// final says that another attempt would not change it.
	final bool
	// learned, if not nil, is the channel's JSON with what the attempt learned.
	learned []byte
}

// sender sends through one channel. It answers once its ctx has ended.
type sender interface {
	send(ctx context.Context, p *parcel) Answer
}

// Purpose is what the config of a channel is sealed for.
func Purpose(c shoal.Channel) string { return "delivery/" + string(c) }

// Test sends a message that says it is a test, the way a delivery goes. config
// is the channel's JSON, not sealed.
func (s *Service) Test(ctx context.Context, c shoal.Channel, config []byte) Answer {
	return s.TestOf(ctx, "", c, config)
}

// TestOf is Test for a workspace, of which the files of a channel may be.
func (s *Service) TestOf(ctx context.Context, ws shoal.WorkspaceID, c shoal.Channel, config []byte) Answer {
	sender := s.senders[c]
	if sender == nil {
		return Answer{Detail: "This channel is not served by this version"}
	}
	now := s.Now()
	d := &shoal.Delivery{
		ID: shoal.NewID[shoal.DeliveryID](), WorkspaceID: ws, Event: shoal.EventTest, Channel: c, CreatedAt: now,
		SquidID: shoal.NewID[shoal.SquidID](), RunID: shoal.NewID[shoal.RunID](),
		Payload: shoal.DeliveryPayload{SquidName: "Test of a delivery", Status: shoal.RunDone},
	}
	return sender.send(ctx, &parcel{delivery: d, config: config})
}
