package main

import (
	"bytes"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal/client"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/fixtures"
)

// inBucket makes a server keep its files in a bucket.
func (s *server) inBucket(endpoint string) {
	s.env = append(s.env, "SHOAL_BLOB=s3://"+delivertest.Bucket+"/shoal", "SHOAL_BLOB_ENDPOINT="+endpoint, "SHOAL_BLOB_REGION=us-east-1",
		"SHOAL_BLOB_ACCESS_KEY=AKIA", "SHOAL_BLOB_SECRET_KEY=topsecret")
}

// TestFilesInABucket: with --blob the files of runs stand in a bucket; one that
// goes away in the middle makes a run end as export_failed for its real cause,
// which is mended when it is back, and nothing is lost meanwhile.
func TestFilesInABucket(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	s3 := delivertest.NewS3(t, func(w http.ResponseWriter, _ *http.Request) bool {
		if down.Load() {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			w.Write([]byte(`<Error><Code>AccountProblem</Code><Message>The account is closed.</Message></Error>`))
		}
		return down.Load()
	})
	srv := newServer(t, t.TempDir(), "")
	srv.inBucket(s3.URL)
	srv.start()
	run := srv.shop()
	csv, there := s3.Objects(t)["shoal/runs/"+run+"/results.csv"]
	if !there || strings.Count(csv, "\r\n") != 61 {
		t.Fatalf("the bucket has %d bytes of CSV", len(csv))
	}
	download := func() string {
		t.Helper()
		var b bytes.Buffer
		if _, err := srv.client().Download(t.Context(), run, "csv", nil, &b); err != nil {
			t.Errorf("download: %v", err)
		}
		return b.String()
	}
	if download() != csv {
		t.Error("the download is not what the bucket has")
	}
	srv.doctor(t, "that exports and uploads name are there")

	down.Store(true)
	if download() != csv {
		t.Error("the download while the bucket is away is not what it was")
	}
	srv.doctor(t, "answered 403 AccessDenied") // HEAD brings no words of the server
	second := srv.begin("bookshop", site(t, fixtures.Bookshop(fixtures.Options{Count: 60}))+"/", 4)
	r := srv.await(second, time.Minute, func(r *client.Run) bool { return r.IsDone })
	if r.Reason() != "export_failed" || !strings.Contains(r.Desc(), "AccountProblem") || strings.Contains(r.Desc(), "topsecret") {
		t.Errorf("the run ended as %s: %s", r.Reason(), r.Desc())
	}
	down.Store(false)
	if _, err := srv.client().ExportRun(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	srv.await(second, time.Minute, func(r *client.Run) bool { return r.ExportDone && r.Reason() == "export_fix" })

	if err := srv.client().DeleteRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	for left := true; left; {
		_, left = s3.Objects(t)["shoal/runs/"+run+"/results.csv"]
	}
	if strings.Contains(srv.log.tail(1<<20), "topsecret") {
		t.Error("the log has the bucket's key")
	}
}

// doctor checks what the doctor says of the server's data.
func (s *server) doctor(t *testing.T, want string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "admin", "doctor")
	cmd.Env = s.env
	out, _ := cmd.CombinedOutput() // of its verdict on the machine nothing is asked here
	if !bytes.Contains(out, []byte(want)) || bytes.Contains(out, []byte("topsecret")) {
		t.Errorf("the doctor says nothing of %q:\n%s", want, out)
	}
}

// TestBucketsThatCannotBeUsed: the server says so at its start.
func TestBucketsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s3 := delivertest.NewS3(t, nil)
	for want, env := range map[string][]string{
		"refused":                       {"SHOAL_BLOB=s3://results", "SHOAL_BLOB_ENDPOINT=http://127.0.0.1:1"},
		"no bucket elsewhere":           {"SHOAL_BLOB=s3://elsewhere", "SHOAL_BLOB_ENDPOINT=" + s3.URL},
		"must be s3://bucket":           {"SHOAL_BLOB=ftp://results"},
		"both or none":                  {"SHOAL_BLOB=s3://results", "SHOAL_BLOB_ACCESS_KEY=AKIA"},
		"go with --blob":                {"SHOAL_BLOB_REGION=here"},
		"http or https address without": {"SHOAL_BLOB=s3://results", "SHOAL_BLOB_ENDPOINT=s3.example.com"},
	} {
		srv := newServer(t, t.TempDir(), "")
		cmd := exec.Command(path, srv.args...)
		cmd.Env = append(srv.env, env...)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v\n%s", env, err, out)
		}
	}
}
