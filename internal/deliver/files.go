package deliver

import (
	"context"
	"fmt"

	"shoal"
	"shoal/internal/blob"
)

// files finds the export files of runs.
type files struct {
	store Store
	blobs blob.Store
}

// open returns the CSV of a run. The caller closes it.
func (f *files) open(ctx context.Context, run shoal.RunID) (*blob.Object, error) {
	e, err := f.store.ExportOf(ctx, run, shoal.FormatCSV, "")
	if err != nil {
		return nil, fmt.Errorf("the run has no export file: make it again with POST /v1/runs/%s/export, then redeliver: %w", run, err)
	}
	o, err := f.blobs.Open(ctx, e.Blob)
	if err != nil {
		return nil, fmt.Errorf("the run's export file is missing: make it again with POST /v1/runs/%s/export, then redeliver: %w", run, err)
	}
	return o, nil
}
