package deliver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/store/storetest"
)

// fakeS3 is a server of S3's protocol with the bucket "results"; before, if it
// gives an answer, stands in front.
func fakeS3(t *testing.T, before func(http.ResponseWriter, *http.Request) bool) (*httptest.Server, *s3mem.Backend) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("results"); err != nil {
		t.Fatal(err)
	}
	h := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s, backend
}

func s3Fields(endpoint string) map[string]any {
	return map[string]any{"bucket": "results", "target_path": "in/{date}/{run}.csv", "aws_access_key": "AKIA", "aws_secret_key": "topsecret",
		"endpoint": endpoint, "region": "us-east-1"}
}

func TestS3(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		s3, backend := fakeS3(t, nil)
		blobs := newBlobs(t)
		f := newOffice(t, e, func(o *deliver.Options) { o.Blob = blobs })
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: s3Fields(s3.URL)})
		for name, content := range map[string]string{"small": "name\nMüller\n", "in parts": "name\n" + strings.Repeat("0123456789abcdef\n", 1_200_000)} {
			run := e.Run(t, f.squid, shoal.RunSettings{})
			f.store(blobs, run.ID, content)
			f.exported(run.ID)
			f.deliver(shoal.ChannelS3, 1)
			d := f.log(run.ID)[0]
			key := "in/" + d.CreatedAt.UTC().Format("2006-01-02") + "/" + string(run.ID) + ".csv"
			if d.Status != shoal.DeliveryDelivered || d.Target != "results/"+key {
				t.Fatalf("%s: %s %s %q", name, d.Status, d.Target, d.Detail)
			}
			object, err := backend.GetObject("results", key, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(object.Contents)
			if err != nil || string(got) != content {
				t.Errorf("%s: %d bytes in the bucket, %v, want %d", name, len(got), err, len(content))
			}
		}
	})
}

// TestFaultsOfS3: nothing is given up at once, the log says why, and when it is
// mended the same key is written.
func TestFaultsOfS3(t *testing.T) {
	e := storetest.SQLite(t)
	for name, c := range map[string]struct {
		spoil  func(w http.ResponseWriter, r *http.Request) bool
		fields func(map[string]any)
		detail string
	}{
		"no such bucket":     {nil, func(f map[string]any) { f["bucket"] = "elsewhere" }, "404 NoSuchBucket"},
		"down at the start":  {nil, func(f map[string]any) { f["endpoint"] = "http://127.0.0.1:1" }, "refuses the connection"},
		"unknown name":       {nil, func(f map[string]any) { f["endpoint"] = "http://s3.invalid" }, "s3.invalid"},
		"down in the middle": {func(w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) }, nil, "closed the connection"},
		"refuses": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>`)
			return true
		}, nil, "403 AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			var mended atomic.Bool
			s3, backend := fakeS3(t, func(w http.ResponseWriter, r *http.Request) bool {
				return c.spoil != nil && !mended.Load() && c.spoil(w, r)
			})
			blobs := newBlobs(t)
			f := newOffice(t, e, func(o *deliver.Options) { o.Blob = blobs })
			fields := s3Fields(s3.URL)
			if c.fields != nil {
				c.fields(fields)
			}
			f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: fields})
			run := e.Run(t, f.squid, shoal.RunSettings{})
			f.store(blobs, run.ID, "name\nx\n")
			f.exported(run.ID)
			f.deliver(shoal.ChannelS3, 1)
			d := f.log(run.ID)[0]
			if d.Status != shoal.DeliveryPending || !strings.Contains(d.Detail, c.detail) || strings.Contains(d.Detail, "topsecret") {
				t.Errorf("%s %q, want %q", d.Status, d.Detail, c.detail)
			}
			mended.Store(true)
			f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: s3Fields(s3.URL)})
			f.due()
			f.deliver(shoal.ChannelS3, 1)
			if list, err := backend.ListBucket("results", nil, gofakes3.ListBucketPage{}); err != nil || len(list.Contents) != 1 {
				t.Errorf("after mending: %v, %v", list, err)
			}
		})
	}
}

// TestNoFileNoDelivery: a run that failed before its export has nothing to bring.
func TestNoFileNoDelivery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f := newOffice(t, e, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: s3Fields("http://127.0.0.1:1")})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.end(run.ID, shoal.RunError)
		if log := f.log(run.ID); len(log) != 0 {
			t.Errorf("log: %+v", log)
		}
	})
}
