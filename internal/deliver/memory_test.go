package deliver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/store/storetest"
)

// large are results of a size that is all that they are.
type large struct {
	size  int64
	known bool
}

func (l large) OpenExport(context.Context, shoal.RunID, shoal.ExportForm) (io.ReadCloser, int64, error) {
	size := int64(-1)
	if l.known {
		size = l.size
	}
	return io.NopCloser(io.LimitReader(rows{}, l.size)), size, nil
}

// rows are endless lines.
type rows struct{}

func (rows) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = "0123456789abcde\n"[i%16]
	}
	return len(b), nil
}

// sink is a bucket that keeps the number of bytes alone: what is large is not
// to be in this process a second time.
func sink(t *testing.T, got *atomic.Int64) string {
	const xml = `<?xml version="1.0"?>`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		w.Header().Set("ETag", `"one"`)
		switch q := r.URL.Query(); {
		case r.Method == http.MethodPut:
			got.Add(n)
		case r.Method == http.MethodGet:
			fmt.Fprint(w, xml+`<ListMultipartUploadsResult></ListMultipartUploadsResult>`)
		case q.Has("uploads"):
			fmt.Fprint(w, xml+`<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>`)
		default:
			fmt.Fprint(w, xml+`<CompleteMultipartUploadResult><Bucket>results</Bucket><Key>one</Key><ETag>"one"</ETag></CompleteMultipartUploadResult>`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestLargeFilesTakeNoMemory sends files that are much larger than what the
// process may take for it, of known and of unknown size.
func TestLargeFilesTakeNoMemory(t *testing.T) {
	const size, most = 256 << 20, 48 << 20
	e := storetest.SQLite(t)
	var stored atomic.Int64
	bucket := sink(t, &stored)
	ssh := newSSHServer(t)
	ssh.start("host")
	into := t.TempDir()
	for name, c := range map[string]struct {
		channel shoal.Channel
		fields  map[string]any
		known   bool
	}{
		"s3, stored":   {shoal.ChannelS3, map[string]any{"bucket": "results", "endpoint": bucket, "region": "us-east-1"}, true},
		"s3, made":     {shoal.ChannelS3, map[string]any{"bucket": "results", "endpoint": bucket, "region": "us-east-1"}, false},
		"sftp, stored": {shoal.ChannelSFTP, ssh.fields(into), true},
		"sftp, made":   {shoal.ChannelSFTP, ssh.fields(into), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newOffice(t, e, func(o *deliver.Options) { o.Exports = large{size, c.known} })
			f.set(map[shoal.Channel]map[string]any{c.channel: c.fields})
			run := e.Run(t, f.squid, shoal.RunSettings{})
			f.exported(run.ID)
			stored.Store(0)
			done := peakHeap()
			f.deliver(c.channel, 1)
			grew := done()
			t.Logf("%d MB took %d MB of heap", size>>20, grew>>20)
			if d := f.log(run.ID)[0]; d.Status != shoal.DeliveryDelivered {
				t.Fatalf("%s %q", d.Status, d.Detail)
			}
			if grew > most {
				t.Errorf("the heap grew by %d MB, want at most %d", grew>>20, most>>20)
			}
			arrived := stored.Load()
			if c.channel == shoal.ChannelSFTP {
				files, err := filepath.Glob(filepath.Join(into, "*"))
				if err != nil || len(files) != 1 {
					t.Fatal(files, err)
				}
				info, err := os.Stat(files[0])
				if err != nil {
					t.Fatal(err)
				}
				arrived = info.Size()
				os.Remove(files[0])
			}
			if arrived != size {
				t.Errorf("%d bytes arrived, want %d", arrived, size)
			}
		})
	}
}

// peakHeap watches the heap; the function that it returns ends that and tells
// by how many bytes it has grown at most.
func peakHeap() func() int64 {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse)
	}
	runtime.GC()
	before, most := heap(), int64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				most = max(most, heap())
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-stopped
		return max(0, most-before)
	}
}
