package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"shoal/internal/blob"
	"shoal/internal/deliver/delivertest"
)

// bucket is a store in a bucket of a server on loopback; before, if it gives an
// answer, stands in front.
func bucket(t *testing.T, before func(http.ResponseWriter, *http.Request) bool) (*blob.S3, *delivertest.S3) {
	t.Helper()
	server := delivertest.NewS3(t, before)
	s, err := blob.NewS3(blob.S3Options{Bucket: delivertest.Bucket, Prefix: "shoal/files", Endpoint: server.URL, Region: "us-east-1", AccessKey: "AKIA", SecretKey: "topsecret"})
	if err != nil {
		t.Fatal(err)
	}
	return s, server
}

// TestFilesInABucket: what a directory does, small and in parts.
func TestFilesInABucket(t *testing.T) {
	s, server := bucket(t, nil)
	ctx := t.Context()
	if err := s.Check(ctx); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"empty": "", "small": "hello, world", "in-parts": strings.Repeat("0123456789abcdef\n", 1_200_000)} {
		name = "runs/" + name + ".csv"
		w, err := s.Create(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		// Written in pieces, as an export is.
		for rest := text; rest != ""; {
			n := min(len(rest), 64<<10)
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if _, err := s.Open(ctx, name); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s before Commit: %v", name, err)
		}
		info, err := w.Commit()
		if err != nil || info.Size != int64(len(text)) || len(info.ETag) != 34 {
			t.Fatalf("%s: Commit = %+v, %v", name, info, err)
		}
		w.Abort()
		o, err := s.Open(ctx, name)
		if err != nil || o.Size != info.Size {
			t.Fatalf("%s: Open = %+v, %v", name, o, err)
		}
		if got, err := io.ReadAll(o); err != nil || string(got) != text {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		for _, at := range []int64{0, int64(len(text)) / 2, int64(len(text))} {
			if n, err := o.Seek(at-int64(len(text)), io.SeekEnd); err != nil || n != at {
				t.Errorf("%s: Seek = %d, %v", name, n, err)
			}
			if got, err := io.ReadAll(o); err != nil || string(got) != text[at:] {
				t.Errorf("%s from %d: %d bytes, %v", name, at, len(got), err)
			}
		}
		if err := o.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for key := range server.Objects(t) {
		if !strings.HasPrefix(key, "shoal/files/runs/") {
			t.Errorf("an object is called %s", key)
		}
	}
	for range 2 {
		if err := s.Delete(ctx, "runs/small.csv"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Open(ctx, "runs/small.csv"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
	for _, name := range []string{"", "../x", "a//b", "/a"} {
		if _, err := s.Create(ctx, name); err == nil {
			t.Errorf("Create(%q) was accepted", name)
		}
	}
}

// TestUploadsThatAreGivenUp: nothing appears, and no parts are left to be paid for.
func TestUploadsThatAreGivenUp(t *testing.T) {
	var begun, taken atomic.Int64
	s, server := bucket(t, func(_ http.ResponseWriter, r *http.Request) bool {
		switch q := r.URL.Query(); {
		case r.Method == http.MethodPost && q.Has("uploads"):
			begun.Add(1)
		case r.Method == http.MethodDelete && q.Has("uploadId"):
			taken.Add(1)
		}
		return false
	})
	long := strings.Repeat("0123456789abcdef", 1<<20)
	for name, end := range map[string]func(context.CancelFunc, blob.Writer){
		"aborted":  func(_ context.CancelFunc, w blob.Writer) { w.Abort() },
		"stopping": func(stop context.CancelFunc, w blob.Writer) { stop(); w.Commit() },
	} {
		ctx, stop := context.WithCancel(t.Context())
		for _, text := range []string{"small", long} {
			w, err := s.Create(ctx, "runs/x")
			if err == nil {
				_, err = io.WriteString(w, text)
			}
			if err != nil {
				t.Fatal(err)
			}
			if text == long {
				end(stop, w)
			} else {
				w.Abort()
			}
		}
		if got := server.Objects(t); len(got) != 0 {
			t.Errorf("%s: there are %d objects", name, len(got))
		}
		stop()
	}
	if begun.Load() != 2 || taken.Load() != 2 {
		t.Errorf("%d uploads were begun and %d taken back", begun.Load(), taken.Load())
	}
}

// TestBucketsInTrouble: what the server said is told, without the keys, and a
// file that another replaced meanwhile is not read as if it were the first.
func TestBucketsInTrouble(t *testing.T) {
	ctx := t.Context()
	refuse := func(status int, code string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			fmt.Fprintf(w, `<Error><Code>%s</Code><Message>So it is.</Message></Error>`, code)
			return true
		}
	}
	for want, before := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"403 AccessDenied":          refuse(403, "AccessDenied"),
		"results is full":           refuse(507, "XMinioStorageFull"),
		"Connection closed":         func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"409 OperationAborted: So ": refuse(409, "OperationAborted"),
	} {
		s, _ := bucket(t, before)
		for _, text := range []string{"small", strings.Repeat("0123456789abcdef", 1<<20)} {
			w, err := s.Create(ctx, "x")
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.WriteString(w, text)
			if err == nil {
				_, err = w.Commit()
			}
			w.Abort()
			if err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "topsecret") {
				t.Errorf("%d bytes: %v, want %q", len(text), err, want)
			}
		}
	}
	s, _ := bucket(t, nil)
	for _, text := range []string{"first", "other"} {
		w, err := s.Create(ctx, "x")
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err == nil {
			_, err = w.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
		if text == "other" {
			break
		}
		o, err := s.Open(ctx, "x")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if got, err := io.ReadAll(o); err == nil && string(got) != "first" {
				t.Errorf("the file that was opened reads as %q", got)
			}
		}()
	}
	for _, o := range []blob.S3Options{{Bucket: "results", Endpoint: "ftp://x"}, {Bucket: "results", Endpoint: "http://x/path"}, {Bucket: "results", Prefix: "../x"}} {
		if _, err := blob.NewS3(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	missing, err := blob.NewS3(blob.S3Options{Bucket: "elsewhere", Endpoint: delivertest.NewS3(t, nil).URL, Region: "us-east-1", AccessKey: "A", SecretKey: "topsecret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := missing.Check(ctx); err == nil || !strings.Contains(err.Error(), "no bucket elsewhere") {
		t.Errorf("a bucket that is not there: %v", err)
	}
}
