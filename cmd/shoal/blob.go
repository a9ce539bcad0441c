package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"shoal/internal/blob"
)

// storageFlags say where files are kept: exports, and uploads on their way in.
type storageFlags struct {
	Blob   string      `help:"Where files are kept, such as s3://bucket/prefix; without it in the data directory. Servers that share a database need a bucket." env:"SHOAL_BLOB" placeholder:"URL"`
	Bucket bucketFlags `embed:"" prefix:"blob-" envprefix:"SHOAL_BLOB_"`
}

// bucketFlags say how the bucket is reached.
type bucketFlags struct {
	Endpoint  string `help:"Address of the bucket's server; Amazon's unless given." env:"ENDPOINT" placeholder:"URL"`
	Region    string `help:"Region of the bucket; the server is asked unless given." env:"REGION" placeholder:"NAME"`
	AccessKey string `help:"Access key of the bucket; without one the requests are not signed." env:"ACCESS_KEY" placeholder:"KEY"`
	SecretKey string `help:"Secret key of the bucket; best given by SHOAL_BLOB_SECRET_KEY, which no list of processes shows." env:"SECRET_KEY" placeholder:"KEY"`
}

// fileStore is where files are kept.
type fileStore interface {
	blob.Store
	io.Closer
}

// s3 returns the store in the bucket; nil when files are kept in the data directory.
func (f *storageFlags) s3() (*blob.S3, error) {
	if f.Blob == "" {
		if f.Bucket != (bucketFlags{}) {
			return nil, &exit{exitUsage, errors.New("--blob-endpoint, --blob-region, --blob-access-key and --blob-secret-key (SHOAL_BLOB_…) go with --blob s3://bucket/prefix")}
		}
		return nil, nil
	}
	rest, ok := strings.CutPrefix(f.Blob, "s3://")
	bucket, prefix, _ := strings.Cut(strings.Trim(rest, "/"), "/")
	if !ok || bucket == "" || strings.ContainsAny(bucket, "@:?# ") {
		return nil, &exit{exitUsage, errors.New("--blob must be s3://bucket or s3://bucket/prefix; its keys are given by SHOAL_BLOB_ACCESS_KEY and SHOAL_BLOB_SECRET_KEY")}
	}
	if (f.Bucket.AccessKey == "") != (f.Bucket.SecretKey == "") {
		return nil, &exit{exitUsage, errors.New("of --blob-access-key and --blob-secret-key there must be both or none")}
	}
	s, err := blob.NewS3(blob.S3Options{Bucket: bucket, Prefix: strings.Trim(prefix, "/"), Endpoint: f.Bucket.Endpoint, Region: f.Bucket.Region,
		AccessKey: f.Bucket.AccessKey, SecretKey: f.Bucket.SecretKey})
	if err != nil {
		return nil, &exit{exitUsage, fmt.Errorf("--blob: %w", err)}
	}
	return s, nil
}

// open opens the store. With check a bucket that cannot be reached is an error
// now, and not when the first run ends.
func (f *storageFlags) open(ctx context.Context, data string, check bool) (fileStore, error) {
	s, err := f.s3()
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		d, err := blob.OpenDir(filepath.Join(data, "files"))
		if err != nil {
			return nil, fmt.Errorf("open the export files: %w", err)
		}
		return d, nil
	case check:
		if err := s.Check(ctx); err != nil {
			return nil, fmt.Errorf("the files are kept in %s, which cannot be used: %w", f.Blob, err)
		}
	}
	return s, nil
}
