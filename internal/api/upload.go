package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"time"

	"shoal"
)

// maxUpload is the most bytes an uploaded file of tasks may have.
const maxUpload = 100 << 20

// wireUpload is the answer to an upload.
type wireUpload struct {
	ID     shoal.UploadID `json:"id"`
	Object string         `json:"object"`
}

// uploadTasks takes a file of tasks. Its parts may come in any order, so that
// the file is stored as it streams in and the squid looked at after. What can be
// told at once (the file's encoding and its header) is told at once; the rest is
// a job's.
func (a *API) uploadTasks(c *call) error {
	id := shoal.NewID[shoal.UploadID]()
	in, err := c.receive("uploads/" + string(id))
	if err != nil {
		return err
	}
	u := shoal.TaskUpload{ID: id, WorkspaceID: c.ws, State: shoal.UploadPending, Blob: in.blob,
		FileName: in.fileName, CreatedAt: a.now()}
	handle := func() error { return c.createUpload(in, u) }
	if c.r.Header["Idempotency-Key"] != nil {
		err = c.once([32]byte(in.hash.Sum(nil)), handle)
	} else {
		err = handle()
	}
	if !in.kept {
		err = errors.Join(err, a.blob.Delete(context.WithoutCancel(c.ctx()), in.blob))
	}
	return err
}

func (c *call) createUpload(in *received, u shoal.TaskUpload) error {
	squid, program, err := c.squidProgram(in.squid)
	if err != nil {
		return err
	}
	u.SquidID = squid.ID
	if err := c.checkHead(u, program); err != nil {
		return err
	}
	body := appendJSON(nil, wireUpload{u.ID, "task_upload"})
	ctx := effectCtx(c, http.StatusOK, func(any) []byte { return body })
	if err := c.a.store.CreateUpload(ctx, u); err != nil {
		return err
	}
	in.kept = true
	return c.send(http.StatusOK, body)
}

// checkHead refuses a file whose encoding or header is wrong.
func (c *call) checkHead(u shoal.TaskUpload, p Program) error {
	file, err := c.a.blob.Open(c.ctx(), u.Blob)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = openTable(file, u.FileName, p.Info())
	return err
}

// received is an upload as it came in.
type received struct {
	blob     string
	fileName string
	squid    string
	hash     hash.Hash // of everything, for an idempotency key
	kept     bool
}

// receive streams the multipart body: its file into the blob store, its squid
// into memory.
func (c *call) receive(name string) (*received, error) {
	parts, err := c.r.MultipartReader()
	if err != nil {
		return nil, shoal.Invalid("InvalidParam", "Content-Type",
			"Content-Type is %q; send multipart/form-data with a file and a squid", clip(c.r.Header.Get("Content-Type"), 80))
	}
	in := &received{hash: sha256.New()}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = c.takePart(in, part, name)
		} else {
			err = brokenBody(err)
		}
		if err != nil {
			return nil, c.discard(in, err)
		}
	}
	if in.blob == "" {
		return nil, shoal.Invalid("ParamsNeeded", "file", "file is required: the CSV or TSV file of tasks")
	}
	if in.squid == "" {
		return nil, c.discard(in, shoal.Invalid("ParamsNeeded", "squid", "squid is required: the id of the squid that takes the tasks"))
	}
	return in, nil
}

func (c *call) discard(in *received, err error) error {
	if in.blob != "" {
		return errors.Join(err, c.a.blob.Delete(context.WithoutCancel(c.ctx()), in.blob))
	}
	return err
}

func brokenBody(err error) error {
	return shoal.Invalid("InvalidParam", "body", "The multipart body cannot be read: %s", clip(err.Error(), 100))
}

func (c *call) takePart(in *received, part *multipart.Part, name string) error {
	switch part.FormName() {
	case "squid":
		text, err := io.ReadAll(io.LimitReader(part, 256))
		if err != nil {
			return brokenBody(err)
		}
		in.squid = strings.TrimSpace(string(text))
		fmt.Fprintf(in.hash, "squid %q\n", in.squid)
	case "file":
		if in.blob != "" {
			return shoal.Invalid("InvalidParam", "file", "There is more than one file; send one at a time")
		}
		in.fileName = clip(path.Base(strings.ReplaceAll(part.FileName(), `\`, "/")), 200)
		in.blob = name
		return c.storePart(in, part)
	}
	return nil
}

func (c *call) storePart(in *received, part io.Reader) error {
	w, err := c.a.blob.Create(c.ctx(), in.blob)
	if err != nil {
		return err
	}
	defer w.Abort()
	n, err := io.Copy(io.MultiWriter(w, in.hash), &patientReader{r: io.LimitReader(part, maxUpload+1), c: c})
	if n > maxUpload {
		return &shoal.Error{Kind: shoal.KindBusiness, Code: "FileSizeLimitExceeded", Param: "file",
			Message: "The file is larger than 100 MB; split it"}
	}
	if err != nil {
		if shoal.KindOf(err) == shoal.KindStorageFull {
			return err
		}
		return brokenBody(err)
	}
	if n == 0 {
		return shoal.Invalid("ParamsInvalid", "file", "The file is empty; its first line must name the tasks' params")
	}
	_, err = w.Commit()
	return err
}

// patientReader moves the server's deadline for reading along with an upload
// that makes progress.
type patientReader struct {
	r     io.Reader
	c     *call
	moved time.Time
}

func (p *patientReader) Read(b []byte) (int, error) {
	if now := time.Now(); now.Sub(p.moved) > writeGrace/4 {
		p.moved = now
		// A reader that has no deadlines needs none moved.
		_ = http.NewResponseController(p.c.w).SetReadDeadline(now.Add(writeGrace))
	}
	return p.r.Read(b)
}

// wireUploadStatus is how far an upload is.
type wireUploadStatus struct {
	ID     shoal.UploadID      `json:"id"`
	Object string              `json:"object"`
	State  shoal.UploadState   `json:"state"`
	Meta   *uploadMeta         `json:"meta"`
	Errors []shoal.UploadError `json:"errors"`
}

type uploadMeta struct {
	Valid      int64 `json:"valid"`
	Inserted   int64 `json:"inserted"`
	Duplicates int64 `json:"duplicates"`
	Invalid    int64 `json:"invalid"`
}

// getUpload answers 202 while the upload is in progress.
func (a *API) getUpload(c *call) error {
	id, err := id32[shoal.UploadID](c, shoal.ErrUploadNotFound)
	if err != nil {
		return err
	}
	u, err := a.store.Upload(c.ctx(), c.ws, id)
	if err != nil {
		return err
	}
	w := wireUploadStatus{ID: u.ID, Object: "task_upload", State: u.State, Errors: u.Errors}
	if w.Errors == nil {
		w.Errors = []shoal.UploadError{}
	}
	if u.State == shoal.UploadPending || u.State == shoal.UploadProgress {
		return c.json(http.StatusAccepted, w)
	}
	w.Meta = &uploadMeta{u.Valid, u.Inserted, u.Duplicates, u.Invalid}
	return c.json(http.StatusOK, w)
}
