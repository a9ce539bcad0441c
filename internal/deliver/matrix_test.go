package deliver_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/store/storetest"
)

// otherSide is the server of a channel at the end of a line.
type otherSide struct {
	channel shoal.Channel
	// fields are the channel's settings.
	fields map[string]any
	// set changes the options of the service; it may be nil.
	set func(*deliver.Options)
	// refuse has the server refuse what comes, or not.
	refuse func(bool)
	// refused is what the log says then.
	refused string
	// arrived is how many whole deliveries the server has.
	arrived func() int
	// middle is a number of bytes from the client after which the delivery is
	// under way and not over.
	middle int
	// patience is how long a server that does not answer is waited for.
	patience time.Duration
	// drips is how long one that takes a byte a second is waited for.
	drips time.Duration
}

// matrixFile is the content of the runs' files: of several parts in a bucket.
var matrixFile = "name\n" + strings.Repeat("0123456789abcdef\n", 600_000)

// otherSides are the channels, each with a real server at the end of the line.
var otherSides = map[string]func(t *testing.T, l *delivertest.Line) *otherSide{
	"webhook": func(t *testing.T, l *delivertest.Line) *otherSide {
		return receiverSide(t, l, shoal.ChannelWebhook, hook("http://receiver.test/in"))
	},
	"slack": func(t *testing.T, l *delivertest.Line) *otherSide {
		return receiverSide(t, l, shoal.ChannelSlack, map[string]any{"url": "http://hooks.slack.test/services/T/B/x"})
	},
	"email": func(t *testing.T, l *delivertest.Line) *otherSide {
		p := delivertest.ServePostOffice(t, l, "starttls")
		var no atomic.Bool
		p.Refuse = func(string) error {
			if no.Load() {
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Try again later"}
			}
			return nil
		}
		count := 0
		return &otherSide{channel: shoal.ChannelEmail, fields: map[string]any{"email": "me@example.com"}, refuse: no.Store, refused: "Try again later",
			set: func(o *deliver.Options) {
				o.Mail = deliver.MailServer{Host: "127.0.0.1", Port: 587, TLS: "starttls", Username: delivertest.User, Password: delivertest.Password,
					From: "Shoal <shoal@mail.test>", Roots: p.Roots}
			},
			arrived: func() int { count += len(p.Got()); return count }, middle: 1500, patience: 121 * time.Second, drips: 121 * time.Second}
	},
	"s3": func(t *testing.T, l *delivertest.Line) *otherSide {
		var no atomic.Bool
		s3 := delivertest.ServeS3(t, l, func(w http.ResponseWriter, _ *http.Request) bool {
			if no.Load() {
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(http.StatusForbidden)
				io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>`)
			}
			return no.Load()
		})
		return &otherSide{channel: shoal.ChannelS3, fields: s3.Fields(), refuse: no.Store, refused: "403 AccessDenied",
			arrived: func() int { return whole(t, s3.Objects(t)) }, middle: 5 << 20, patience: 6 * time.Minute, drips: 6 * time.Minute}
	},
	"sftp": func(t *testing.T, l *delivertest.Line) *otherSide {
		s := delivertest.ServeSFTP(t, l)
		var no atomic.Bool
		s.Write = func(string) error {
			if no.Load() {
				return io.ErrShortWrite
			}
			return nil
		}
		return &otherSide{channel: shoal.ChannelSFTP, fields: s.Fields(), refuse: no.Store, refused: "short write",
			arrived: func() int {
				all := map[string]string{}
				for _, name := range s.Files() {
					all[name] = s.Read(t, name)
				}
				return whole(t, all)
			}, middle: 5 << 20, patience: 90 * time.Second, drips: 6 * time.Minute}
	},
	"google_sheet": sheetSide,
}

// receiverSide takes posts, of a webhook or for Slack.
func receiverSide(t *testing.T, l *delivertest.Line, c shoal.Channel, fields map[string]any) *otherSide {
	var no atomic.Bool
	var n atomic.Int64
	delivertest.ServeHTTP(t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil || !json.Valid(body):
			w.WriteHeader(http.StatusBadRequest)
		case no.Load():
			http.Error(w, "come back later", http.StatusServiceUnavailable)
		default:
			n.Add(1)
		}
	}))
	return &otherSide{channel: c, fields: fields, refuse: no.Store, refused: "503 Service Unavailable: come back later",
		arrived: func() int { return int(n.Load()) }, middle: 120, patience: 30 * time.Second, drips: 30 * time.Second}
}

// whole counts the files and fails unless each is what was sent.
func whole(t *testing.T, files map[string]string) int {
	for name, content := range files {
		if content != matrixFile {
			t.Errorf("%s has %d bytes, want %d", name, len(content), len(matrixFile))
		}
	}
	return len(files)
}

// TestEachChannelThroughEachFault: a delivery that meets a fault stays pending
// within the time that is promised, the log says why, and when all is well
// again it arrives, whole and once.
func TestEachChannelThroughEachFault(t *testing.T) {
	for channel, side := range otherSides {
		for fault, c := range map[string]struct {
			fault  func(s *otherSide) delivertest.Fault
			within func(s *otherSide) time.Duration
			detail func(s *otherSide) string
		}{
			"down at the start": {func(*otherSide) delivertest.Fault { return delivertest.Fault{Down: true} },
				func(*otherSide) time.Duration { return time.Second }, func(*otherSide) string { return "refuses the connection" }},
			"down in the middle": {func(s *otherSide) delivertest.Fault { return delivertest.Fault{After: s.middle, Cut: true} },
				func(*otherSide) time.Duration { return 10 * time.Second }, func(*otherSide) string { return "closed the connection" }},
			"hangs at the start": {func(*otherSide) delivertest.Fault { return delivertest.Fault{Hang: true} },
				func(s *otherSide) time.Duration { return s.patience }, func(*otherSide) string { return "did not answer within" }},
			"hangs in the middle": {func(s *otherSide) delivertest.Fault { return delivertest.Fault{After: s.middle, Hang: true} },
				func(s *otherSide) time.Duration { return s.patience }, func(*otherSide) string { return "did not answer within" }},
			"slow": {func(s *otherSide) delivertest.Fault { return delivertest.Fault{After: s.middle, Drip: true} },
				func(s *otherSide) time.Duration { return s.drips }, func(*otherSide) string { return "within" }},
			"refuses": {func(*otherSide) delivertest.Fault { return delivertest.Fault{} },
				func(*otherSide) time.Duration { return 10 * time.Second }, func(s *otherSide) string { return s.refused }},
		} {
			t.Run(channel+"/"+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					// What the servers have under way when they close ends within that.
					t.Cleanup(func() { time.Sleep(time.Minute) })
					line := delivertest.NewLine()
					s := side(t, line)
					e, blobs := storetest.SQLite(t), newBlobs(t)
					f := newOffice(t, e, func(o *deliver.Options) {
						o.Dial, o.Blob = line.Dial, blobs
						if s.set != nil {
							s.set(o)
						}
					})
					f.set(map[shoal.Channel]map[string]any{s.channel: s.fields})
					if s.channel == shoal.ChannelWebhook {
						f.deliver(s.channel, 1) // run.running of the run below is not what is tried
					}
					run := e.Run(t, f.squid, shoal.RunSettings{})
					f.store(blobs, run.ID, matrixFile)
					f.Exec(t, `DELETE FROM deliveries`)
					f.exported(run.ID)
					s.refuse(fault == "refuses")
					line.Set(c.fault(s))
					began := time.Now()
					f.deliver(s.channel, 1)
					took := time.Since(began)
					d := f.log(run.ID)[0]
					if d.Status != shoal.DeliveryPending || d.Attempts != 1 || !strings.Contains(d.Detail, c.detail(s)) || strings.Contains(d.Detail, "s3cret") {
						t.Errorf("%s after %d attempts: %q, want %q", d.Status, d.Attempts, d.Detail, c.detail(s))
					}
					t.Logf("after %s: %s", took.Round(time.Second), d.Detail)
					if took > c.within(s) {
						t.Errorf("it took %s, want at most %s", took, c.within(s))
					}
					s.refuse(false)
					line.Set(delivertest.Fault{})
					before := s.arrived()
					f.due()
					f.deliver(s.channel, 2)
					if d = f.log(run.ID)[0]; d.Status != shoal.DeliveryDelivered || s.arrived() != before+1 {
						t.Errorf("mended: %s %q, %d arrived after %d", d.Status, d.Detail, s.arrived(), before)
					}
				})
			})
		}
	}
}
