package deliver_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/store/storetest"
)

func TestS3(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		s3 := delivertest.NewS3(t, nil)
		blobs := newBlobs(t)
		f := newOffice(t, e, func(o *deliver.Options) { o.Blob = blobs })
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: s3.Fields()})
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
			if got := s3.Objects(t)[key]; got != content {
				t.Errorf("%s: %d bytes in the bucket, want %d", name, len(got), len(content))
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
			s3 := delivertest.NewS3(t, func(w http.ResponseWriter, r *http.Request) bool {
				return c.spoil != nil && !mended.Load() && c.spoil(w, r)
			})
			blobs := newBlobs(t)
			f := newOffice(t, e, func(o *deliver.Options) { o.Blob = blobs })
			fields := s3.Fields()
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
			f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: s3.Fields()})
			f.due()
			f.deliver(shoal.ChannelS3, 1)
			if all := s3.Objects(t); len(all) != 1 {
				t.Errorf("after mending: %v", all)
			}
		})
	}
}

// TestNoFileNoDelivery: a run that failed before its export has nothing to bring.
func TestNoFileNoDelivery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		f := newOffice(t, e, nil)
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: {"bucket": "results", "endpoint": "http://127.0.0.1:1"}})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.end(run.ID, shoal.RunError)
		if log := f.log(run.ID); len(log) != 0 {
			t.Errorf("log: %+v", log)
		}
	})
}

// uploads returns the multipart uploads that were begun and neither completed
// nor aborted.
func uploads(t *testing.T, s3 *delivertest.S3) string {
	t.Helper()
	res, err := http.Get(s3.URL + "/" + delivertest.Bucket + "?uploads")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	if !strings.Contains(string(b), "<UploadId>") {
		return ""
	}
	return string(b)
}

// TestUploadThatBreaksOff: an upload that fails in the middle leaves neither an
// object nor an upload that somebody pays for; nor does one whose process died.
func TestUploadThatBreaksOff(t *testing.T) {
	e := storetest.SQLite(t)
	var broken atomic.Bool
	broken.Store(true)
	s3 := delivertest.NewS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		if broken.Load() && r.URL.Query().Get("partNumber") == "2" {
			io.CopyN(io.Discard, r.Body, 1<<20)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	blobs := newBlobs(t)
	f := newOffice(t, e, func(o *deliver.Options) { o.Blob = blobs })
	f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: s3.Fields()})
	run := e.Run(t, f.squid, shoal.RunSettings{})
	f.store(blobs, run.ID, matrixFile)
	f.exported(run.ID)
	f.deliver(shoal.ChannelS3, 1)
	if d := f.log(run.ID)[0]; d.Status != shoal.DeliveryPending || !strings.Contains(d.Detail, "closed the connection") {
		t.Fatalf("%s %q", d.Status, d.Detail)
	}
	if left := uploads(t, s3); left != "" || len(s3.Objects(t)) != 0 {
		t.Errorf("left behind: %d objects, uploads %s", len(s3.Objects(t)), left)
	}
	broken.Store(false)
	// What a process left that was killed in the middle.
	key := "in/" + f.log(run.ID)[0].CreatedAt.UTC().Format("2006-01-02") + "/" + string(run.ID) + ".csv"
	res, err := http.Post(s3.URL+"/"+delivertest.Bucket+"/"+key+"?uploads", "text/csv", nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	res.Body.Close()
	if uploads(t, s3) == "" {
		t.Fatal("the upload that is to be found was not begun")
	}
	f.due()
	f.deliver(shoal.ChannelS3, 1)
	if left := uploads(t, s3); left != "" || whole(t, s3.Objects(t)) != 1 {
		t.Errorf("mended: log %+v, uploads %s", f.log(run.ID)[0], left)
	}
}

// TestFilesThatEndTogether: runs of one second have files of their own, also of
// squids whose names come to nothing in a file's name.
func TestFilesThatEndTogether(t *testing.T) {
	e := storetest.SQLite(t)
	s3, blobs := delivertest.NewS3(t, nil), newBlobs(t)
	for _, name := range []string{"日本", "中国", "Книги"} {
		f := newOffice(t, e, func(o *deliver.Options) { o.Blob = blobs })
		e.Exec(t, `UPDATE squids SET name = $1 WHERE id = $2`, name, string(f.squid))
		fields := s3.Fields()
		fields["target_path"] = "in"
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: fields})
		for range 2 {
			run := e.Run(t, f.squid, shoal.RunSettings{})
			f.store(blobs, run.ID, string(run.ID))
			f.exported(run.ID)
			f.deliver(shoal.ChannelS3, 1)
		}
	}
	if all := s3.Objects(t); len(all) != 6 {
		t.Errorf("%d files of six runs: %v", len(all), all)
	}
}
