package delivertest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Bucket is the bucket that an S3 has.
const Bucket = "results"

// S3 is a server of S3's protocol with the bucket Bucket.
type S3 struct {
	URL     string
	Backend *s3mem.Backend
	handler http.Handler
	before  func(http.ResponseWriter, *http.Request) bool
}

// NewS3 serves on a port of its own. before, if it gives an answer, stands in
// front; it may be nil.
func NewS3(t testing.TB, before func(http.ResponseWriter, *http.Request) bool) *S3 {
	t.Helper()
	s := newS3(t, before)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// ServeS3 serves a listener.
func ServeS3(t testing.TB, l net.Listener, before func(http.ResponseWriter, *http.Request) bool) *S3 {
	t.Helper()
	s := newS3(t, before)
	ServeHTTP(t, l, s)
	s.URL = "http://s3.test"
	return s
}

// ServeHTTP serves a listener until the test ends.
func ServeHTTP(t testing.TB, l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() {
		defer close(served)
		srv.Serve(l) // ends with Close
	}()
	t.Cleanup(func() {
		srv.Close()
		<-served
	})
}

func newS3(t testing.TB, before func(http.ResponseWriter, *http.Request) bool) *S3 {
	t.Helper()
	s := &S3{Backend: s3mem.New(), before: before}
	if err := s.Backend.CreateBucket(Bucket); err != nil {
		t.Fatal(err)
	}
	s.handler = gofakes3.New(s.Backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	return s
}

// ServeHTTP implements http.Handler.
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.before == nil || !s.before(w, r) {
		s.handler.ServeHTTP(w, r)
	}
}

// Answer answers without asking the front: for fronts that do something after.
func (s *S3) Answer(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Objects returns the bucket's files by key.
func (s *S3) Objects(t testing.TB) map[string]string {
	t.Helper()
	list, err := s.Backend.ListBucket(Bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range list.Contents {
		object, err := s.Backend.GetObject(Bucket, c.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(object.Contents)
		if err != nil {
			t.Fatal(err)
		}
		all[c.Key] = string(b)
	}
	return all
}

// Fields are the settings of a delivery into the bucket.
func (s *S3) Fields() map[string]any {
	return map[string]any{"bucket": Bucket, "target_path": "in/{date}/{run}.csv", "aws_access_key": "AKIA", "aws_secret_key": "topsecret",
		"endpoint": s.URL, "region": "us-east-1"}
}
