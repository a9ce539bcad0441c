package deliver

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"shoal"
)

// partSize is how much of a file is in memory at a time; S3 takes 10,000
// parts, which makes 80 GB.
const partSize = 8 << 20

// smallFile is up to how many bytes a file of unknown size goes up in one piece.
const smallFile = 1 << 20

// answerWithin is how long a bucket's server may take to answer a request that
// it has got all of.
const answerWithin = time.Minute

// bucket puts a run's file into a bucket of S3 or what speaks its protocol.
type bucket struct {
	dial  Dial
	files *files
}

// bucketConfig is the channel's config.
type bucketConfig struct {
	Bucket     string `json:"bucket"`
	TargetPath string `json:"target_path"`
	AccessKey  string `json:"aws_access_key"`
	SecretKey  string `json:"aws_secret_key"`
	Endpoint   string `json:"endpoint"` // empty: Amazon's
	Region     string `json:"region"`
	shoal.ExportForm
}

func (b *bucket) send(ctx context.Context, p *parcel) Answer {
	var c bucketConfig
	if err := p.read(&c); err != nil {
		return Answer{Detail: err.Error(), final: true}
	}
	transport := newTransport(b.dial)
	transport.DisableKeepAlives, transport.ResponseHeaderTimeout = false, answerWithin
	defer transport.CloseIdleConnections()
	client, host, err := c.client(transport)
	if err != nil {
		return Answer{Target: c.Bucket, Detail: "The settings of the bucket: " + err.Error(), final: true}
	}
	if p.delivery.Event == shoal.EventTest {
		key := strings.TrimPrefix(strings.TrimSuffix(placed(c.TargetPath, p.delivery, c.Format), "/")+"/shoal-test.txt", "/")
		a := c.put(ctx, client, host, key, strings.NewReader(testText), int64(len(testText)))
		if a.OK {
			// That it may not be deleted is no failure: deliveries delete nothing.
			client.RemoveObject(ctx, c.Bucket, key, minio.RemoveObjectOptions{})
		}
		return a
	}
	file, size, err := b.files.open(ctx, p.delivery.RunID, c.ExportForm)
	if err != nil {
		return Answer{Target: c.Bucket, Detail: err.Error()}
	}
	defer file.Close()
	return c.put(ctx, client, host, placed(c.TargetPath, p.delivery, c.Format), file, size)
}

// testText is the content of a test file.
const testText = "This is a test of a delivery by Shoal. The file may be deleted.\n"

// client returns a client of the bucket's server, and the server's name.
func (c *bucketConfig) client(transport http.RoundTripper) (*minio.Client, string, error) {
	endpoint, secure := "s3.amazonaws.com", true
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Host == "" {
			return nil, "", fmt.Errorf("the endpoint is %q, and must be an http or https address such as https://s3.example.com", c.Endpoint)
		}
		endpoint, secure = u.Host, u.Scheme == "https"
	}
	kind := credentials.SignatureV4
	if c.AccessKey == "" {
		kind = credentials.SignatureAnonymous
	}
	client, err := minio.New(endpoint, &minio.Options{
		Creds: credentials.NewStatic(c.AccessKey, c.SecretKey, "", kind), Secure: secure, Transport: transport, Region: c.Region, MaxRetries: 1,
	})
	return client, endpoint, err
}

// put uploads the file, in parts if it is large or of unknown size (-1). The
// object appears whole or not at all, and a repeat replaces it.
func (c *bucketConfig) put(ctx context.Context, client *minio.Client, host, key string, file io.Reader, size int64) Answer {
	a := Answer{Target: c.Bucket + "/" + key}
	if size > partSize || size < 0 {
		// What a process left that died in the middle would be kept, and paid for,
		// for ever. That it may not be looked for is no failure.
		err := client.RemoveIncompleteUpload(ctx, c.Bucket, key)
		if err != nil && minio.ToErrorResponse(err).StatusCode == 0 {
			a.Status, a.Detail = explainS3(err, host)
			return a
		}
	}
	ctx, from, stop := newPaced(ctx, file)
	defer stop()
	var body io.Reader = from
	if size < 0 {
		// A small file needs no parts, and an empty one cannot have any.
		b, err := io.ReadAll(io.LimitReader(from, smallFile))
		if err != nil {
			a.Detail = from.verdict(ctx, err).Error()
			return a
		}
		if body = bytes.NewReader(b); len(b) < smallFile {
			size = int64(len(b))
		} else {
			body = io.MultiReader(body, from)
		}
	}
	// An MD5 of each part instead of signed chunks: not every server that speaks
	// S3 takes the framing of those off, and the file would hold it.
	sent, err := client.PutObject(ctx, c.Bucket, key, body, size, minio.PutObjectOptions{
		ContentType: c.Format.ContentType(), PartSize: partSize, NumThreads: 1, DisableContentSha256: true, SendContentMd5: true,
	})
	if err == nil && sent.ETag == "" {
		// Anybody answers 200; a server of S3 names what it has stored.
		a.Status, a.Detail = http.StatusOK, host+" does not answer as a server of S3 does, and may have stored nothing: check the endpoint"
		return a
	}
	if err == nil {
		a.OK, a.Status, a.Detail = true, http.StatusOK, fmt.Sprintf("%s bytes are in the bucket", grouped(sent.Size))
		return a
	}
	a.Status, a.Detail = explainS3(from.verdict(ctx, err), host)
	return a
}

// explainS3 says what the bucket's server said, or why it said nothing.
func explainS3(err error, host string) (status int, detail string) {
	if strings.Contains(err.Error(), "Connection closed by foreign host") { // the library's word for an EOF
		err = io.ErrUnexpectedEOF
	}
	said := minio.ToErrorResponse(err)
	if said.StatusCode == 0 || said.Code == "" {
		return 0, explain(err, host, answerWithin)
	}
	detail = fmt.Sprintf("%s answered %d %s: %s", host, said.StatusCode, said.Code, strings.TrimRight(clip(said.Message, maxDetail), ". "))
	if said.Region != "" && (said.Code == "AuthorizationHeaderMalformed" || said.Code == "PermanentRedirect") {
		return said.StatusCode, fmt.Sprintf("%s. The bucket's region is %s: set it", detail, said.Region)
	}
	if hint := s3Hints[said.Code]; hint != "" {
		detail += ". " + hint
	}
	return said.StatusCode, detail
}

// s3Hints say what to change, by the codes of S3's errors.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var s3Hints = map[string]string{
	"NoSuchBucket":                 "Make the bucket, or correct its name, endpoint or region",
	"NoSuchKey":                    "Is the endpoint that of a server of S3?",
	"AccessDenied":                 "The key must be allowed s3:PutObject there, and s3:AbortMultipartUpload for large files",
	"InvalidAccessKeyId":           "The server does not know aws_access_key",
	"SignatureDoesNotMatch":        "aws_secret_key is not the one that belongs to aws_access_key",
	"RequestTimeTooSkewed":         "This machine's clock is wrong",
	"AuthorizationHeaderMalformed": "Set the bucket's region",
	"PermanentRedirect":            "Set the bucket's region, or the endpoint of that region",
	"EntityTooLarge":               "The server takes no files of this size",
	"QuotaExceeded":                "The bucket is full",
}

// placed is where a run's file goes: the path with its words in braces
// replaced. Without a file's name at its end it is a directory. The words are
// {squid}, {run}, {date} and {time}, of the event, so that a repeat has the
// same, and {format}.
func placed(path string, d *shoal.Delivery, f shoal.Format) string {
	at := d.CreatedAt.UTC()
	path = strings.NewReplacer(
		"{squid}", slug(d.Payload.SquidName), "{run}", string(d.RunID), "{date}", at.Format("2006-01-02"), "{time}", at.Format("150405"), "{format}", string(cmp.Or(f, shoal.FormatCSV)),
	).Replace(strings.Trim(path, "/"))
	if last := path[strings.LastIndexByte(path, '/')+1:]; path != "" && strings.Contains(last, ".") || d.Event == shoal.EventTest {
		return path
	}
	return strings.TrimPrefix(path+"/"+fileName(d, f), "/")
}
