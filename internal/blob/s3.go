package blob

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"shoal"
)

const (
	// partSize is how much of a file is in memory while it is written; S3 takes
	// 10,000 parts, which makes 80 GB.
	partSize = 8 << 20
	// smallFile is up to how many bytes a file goes up in one piece.
	smallFile = 1 << 20
	// silence is how long the bucket's server may be silent while something is
	// wanted of it.
	silence = time.Minute
	// tries is how often a request is tried that fails in a way that may pass.
	tries = 3
	// endWithin bounds what ends an upload that is given up.
	endWithin = 30 * time.Second
)

// S3Options say where a bucket is.
type S3Options struct {
	Bucket string
	Prefix string // of all names, without slashes at its ends; may be empty
	// Endpoint is the server's address, http or https; empty: Amazon's.
	Endpoint string
	Region   string // empty: asked for
	// AccessKey and SecretKey sign the requests; empty: they are not signed.
	AccessKey, SecretKey string
}

// S3 is a Store in a bucket of Amazon S3 or of what speaks its protocol. Its
// server is the operator's own, so that it may have any address: no user's
// wish leads there. It may be shared by several processes.
type S3 struct {
	core   minio.Core
	bucket string
	prefix string
	host   string
}

var _ Store = (*S3)(nil)

// NewS3 returns the store in a bucket; it does not speak to it yet.
func NewS3(o S3Options) (*S3, error) {
	host, secure := "s3.amazonaws.com", true
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
			return nil, errors.New("the endpoint of the bucket must be an http or https address without a path, such as https://s3.eu-central-1.amazonaws.com")
		}
		host, secure = u.Host, u.Scheme == "https"
	}
	if o.Prefix != "" {
		if err := checkName(o.Prefix); err != nil {
			return nil, fmt.Errorf("the prefix in the bucket: %w", err)
		}
	}
	kind := credentials.SignatureV4
	if o.AccessKey == "" {
		kind = credentials.SignatureAnonymous
	}
	core, err := minio.NewCore(host, &minio.Options{
		Creds: credentials.NewStatic(o.AccessKey, o.SecretKey, "", kind), Secure: secure, Region: o.Region,
		Transport: newTransport(), MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("the bucket %s: %w", o.Bucket, err)
	}
	return &S3{core: *core, bucket: o.Bucket, prefix: o.Prefix, host: host}, nil
}

// newTransport gives up on a server that is silent.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: silence,
		MaxIdleConnsPerHost: 16, IdleConnTimeout: silence / 2, DisableCompression: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return patient{conn}, nil
		},
	}
}

// patient gives every read and write of a connection its own time.
type patient struct{ net.Conn }

func (c patient) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c patient) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Check asks the server for the bucket.
func (s *S3) Check(ctx context.Context) error {
	there, err := s.core.BucketExists(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("look for the bucket %s: %w", s.bucket, s.explain(err))
	}
	if !there {
		return fmt.Errorf("there is no bucket %s at %s: make it, or name another", s.bucket, s.host)
	}
	return nil
}

// Close gives connections back. Open files stay usable.
func (s *S3) Close() error { return nil }

func (s *S3) key(name string) string { return path.Join(s.prefix, name) }

// explain gives a server's error its words, and a full one its name in the
// vocabulary. It holds no keys.
func (s *S3) explain(err error) error {
	said := minio.ToErrorResponse(err)
	switch {
	case strings.Contains(said.Code, "StorageFull"): // MinIO's name for it, and Ceph's
		return &shoal.Error{Kind: shoal.KindStorageFull, Code: "StorageFull", Message: "the storage behind the bucket " + s.bucket + " is full", Err: err}
	case said.StatusCode != 0 && said.Code != "":
		return fmt.Errorf("%s answered %d %s: %s", s.host, said.StatusCode, said.Code, said.Message)
	}
	return err
}

// Create implements Store.
func (s *S3) Create(ctx context.Context, name string) (Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &s3Writer{s: s, ctx: ctx, name: name}, nil
}

// s3Writer keeps what is small until it is whole, and sends what is not in
// parts while it is written.
type s3Writer struct {
	s     *S3
	ctx   context.Context // of Create: the file's making ends with it
	name  string
	first []byte         // what is not sent yet
	in    *io.PipeWriter // of what is being sent; nil: nothing is
	sent  chan error     // the end of the upload
	size  int64
	ended bool
}

func (w *s3Writer) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	w.size += int64(len(p))
	if w.in == nil && len(w.first)+len(p) <= smallFile {
		w.first = append(w.first, p...)
		return len(p), nil
	}
	if w.in == nil {
		w.begin()
	}
	n, err := w.in.Write(p)
	if err != nil {
		return n, fmt.Errorf("write blob %s: %w", w.name, w.s.explain(err))
	}
	return n, nil
}

// begin starts an upload in parts. It is ended by ending its reader, never by
// its context: only so the library takes back the parts that are there.
func (w *s3Writer) begin() {
	var out *io.PipeReader
	out, w.in = io.Pipe()
	w.sent = make(chan error, 1)
	body := io.MultiReader(bytes.NewReader(w.first), out)
	ctx := context.WithoutCancel(w.ctx)
	go func() {
		// What a process left that died in the middle would be kept, and paid for, for
		// ever. That it may not be looked for is no failure.
		_ = w.s.core.RemoveIncompleteUpload(ctx, w.s.bucket, w.s.key(w.name))
		err := w.s.put(ctx, w.name, body, -1)
		out.CloseWithError(cmp.Or(err, io.ErrClosedPipe))
		w.sent <- err
	}()
}

// put uploads a file; size is -1 while it is not known.
func (s *S3) put(ctx context.Context, name string, body io.Reader, size int64) error {
	// An MD5 of each part instead of signed chunks: not every server that speaks
	// S3 takes the framing of those off, and the file would hold it.
	_, err := s.core.Client.PutObject(ctx, s.bucket, s.key(name), body, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream", PartSize: partSize, NumThreads: 1, DisableContentSha256: true, SendContentMd5: true,
	})
	return err
}

// Commit implements Writer.
func (w *s3Writer) Commit() (Info, error) {
	if w.ended {
		return Info{}, fmt.Errorf("commit blob %s: it has ended", w.name)
	}
	if err := w.ctx.Err(); err != nil {
		w.Abort()
		return Info{}, err
	}
	w.ended = true
	var err error
	if w.in == nil {
		err = w.s.put(w.ctx, w.name, bytes.NewReader(w.first), int64(len(w.first)))
	} else {
		w.in.Close()
		err = <-w.sent
	}
	if err != nil {
		return Info{}, fmt.Errorf("commit blob %s: %w", w.name, w.s.explain(err))
	}
	return Info{Size: w.size, ModTime: time.Now(), ETag: newETag()}, nil
}

// errAborted ends an upload that is not wanted any more.
var errAborted = errors.New("the file was given up")

// Abort implements Writer.
func (w *s3Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	if w.in == nil {
		return
	}
	w.in.CloseWithError(errAborted)
	timer := time.NewTimer(endWithin)
	defer timer.Stop()
	select {
	case <-w.sent:
	case <-timer.C: // the server is silent; the next upload of the name takes the parts back
	}
}

// Open implements Store.
func (s *S3) Open(ctx context.Context, name string) (*Object, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	info, err := s.core.StatObject(ctx, s.bucket, s.key(name), minio.StatObjectOptions{})
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound && err != nil {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", name, s.explain(err))
	}
	return &Object{ReadSeekCloser: &s3Reader{s: s, ctx: ctx, name: name, etag: info.ETag, size: info.Size}, Size: info.Size, ModTime: info.LastModified}, nil
}

// s3Reader reads an object from where it was sought to.
type s3Reader struct {
	s    *S3
	ctx  context.Context // of Open: reading ends with it
	name string
	etag string // what was opened: another one under the name is not read
	size int64
	at   int64
	body io.ReadCloser // from at on; nil: not asked for
}

func (r *s3Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.at >= r.size {
		return 0, io.EOF
	}
	if r.body == nil {
		if err := r.ask(); err != nil {
			return 0, err
		}
	}
	n, err := r.body.Read(p)
	r.at += int64(n)
	switch {
	case err == io.EOF && r.at < r.size:
		err = io.ErrUnexpectedEOF
	case err == nil || err == io.EOF:
		return n, err
	}
	return n, fmt.Errorf("read blob %s: %w", r.name, r.s.explain(err))
}

// ask asks for the rest of the object.
func (r *s3Reader) ask() error {
	var o minio.GetObjectOptions
	err := o.SetMatchETag(r.etag)
	if err == nil && r.at > 0 {
		err = o.SetRange(r.at, r.size-1)
	}
	var info minio.ObjectInfo
	if err == nil {
		r.body, info, _, err = r.s.core.GetObject(r.ctx, r.s.bucket, r.s.key(r.name), o)
	}
	if err == nil && info.ETag != r.etag { // not every server minds If-Match
		err = errors.Join(errReplaced, r.Close())
	}
	if err != nil {
		return fmt.Errorf("read blob %s: %w", r.name, r.s.explain(err))
	}
	return nil
}

// errReplaced says that the file is not the one that was opened.
var errReplaced = errors.New("it was replaced while it was read")

func (r *s3Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek in blob %s: before its beginning", r.name)
	}
	if offset != r.at {
		r.at = offset
		return offset, r.Close()
	}
	return offset, nil
}

func (r *s3Reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}

// Delete implements Store.
func (s *S3) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := s.core.RemoveObject(ctx, s.bucket, s.key(name), minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("delete blob %s: %w", name, s.explain(err))
	}
	return nil
}
