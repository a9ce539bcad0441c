package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"shoal"
	"shoal/crawlers"
	"shoal/internal/api"
	"shoal/internal/blob"
	"shoal/internal/crawler"
	"shoal/internal/store"
	"shoal/internal/store/storetest"
)

// interrupted is a store whose process dies at a given commit of an import:
// before it, or after it and before anybody knows.
type interrupted struct {
	*store.Store
	at    int
	after bool
	calls int
}

var errKilled = errors.New("killed")

func (s *interrupted) ImportTasks(ctx context.Context, u shoal.TaskUpload, tasks []shoal.NewTask) (int, error) {
	s.calls++
	if s.calls == s.at && !s.after {
		return 0, errKilled
	}
	n, err := s.Store.ImportTasks(ctx, u, tasks)
	if s.calls == s.at && err == nil {
		err = errKilled
	}
	return n, err
}

func TestInterruptedImportLosesAndRepeatsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		known, err := crawler.NewCatalogue(crawlers.FS, "")
		if err != nil {
			t.Fatal(err)
		}
		website, err := known.Lookup("website")
		if err != nil {
			t.Fatal(err)
		}
		files, err := blob.OpenDir(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close()
		var content bytes.Buffer
		content.WriteString("url\n")
		for i := range 3500 {
			fmt.Fprintf(&content, "https://example.com/%d\n", i)
			if i%1000 == 500 {
				content.WriteString("wrong\n")
			}
		}
		for _, after := range []bool{false, true} {
			for at := 1; at <= 4; at++ {
				squid, err := e.Store.CreateSquid(t.Context(), shoal.Squid{ID: shoal.NewID[shoal.SquidID](), WorkspaceID: e.Workspace,
					CrawlerID: website.Info.ID, CrawlerSlug: "website", Concurrency: 1, IsActive: true}, "import")
				if err != nil {
					t.Fatal(err)
				}
				u := shoal.TaskUpload{ID: shoal.NewID[shoal.UploadID](), WorkspaceID: e.Workspace, SquidID: squid.ID,
					State: shoal.UploadPending, Blob: fmt.Sprintf("uploads/%v-%d", after, at), FileName: "a.csv"}
				put(t, files, u.Blob, content.Bytes())
				if err := e.Store.CreateUpload(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				im := &api.Importer{Store: &interrupted{Store: e.Store, at: at, after: after}, Catalogue: catalogue{crawler.NewWorkspaces(known, e.Store, nil), nil}, Blob: files}
				err = im.Import(t.Context(), u.ID)
				if !errors.Is(err, errKilled) {
					t.Fatalf("killed at %d: %v", at, err)
				}
				im.Store = e.Store
				if err := im.Import(t.Context(), u.ID); err != nil {
					t.Fatal(err)
				}
				got, err := e.Store.UploadByID(t.Context(), u.ID)
				if err != nil || got.State != shoal.UploadSuccess || got.Valid != 3500 || got.Inserted != 3500 || got.Duplicates != 0 || got.Invalid != 3 || len(got.Errors) != 3 {
					t.Errorf("killed at %d, after its commit %v: %+v, %v", at, after, got, err)
				}
				if _, err := files.Open(t.Context(), u.Blob); !errors.Is(err, blob.ErrNotFound) {
					t.Errorf("the file is still there: %v", err)
				}
			}
		}
	})
}

func put(t *testing.T, files *blob.Dir, name string, content []byte) {
	t.Helper()
	w, err := files.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}
