package runs

import (
	"context"
	"errors"
)

const (
	// sweepSquids and sweepFiles bound what one query of a sweep finds.
	sweepSquids = 1000
	sweepFiles  = 500
)

// sweep throws away what the rules of retention keep no longer: results of old
// runs, and files that nobody used for long. Without rules it costs a few
// queries that find nothing. It may be cut short anywhere: the next one goes on.
func (s *Service) sweep(ctx context.Context) error {
	expired, err := s.store.ExpiredRuns(ctx, sweepSquids)
	if err != nil {
		return err
	}
	for _, x := range expired {
		for more := true; more; {
			if more, err = s.store.RemoveResults(ctx, x); err != nil {
				return err
			}
		}
	}
	for {
		files, err := s.store.StaleExports(ctx, sweepFiles)
		if err != nil {
			return err
		}
		var failed []error
		for i := range files {
			e := &files[i]
			// The file first: one is never left without a row that names it.
			err := s.blobs.Delete(ctx, e.Blob)
			if err == nil {
				err = s.store.ForgetExport(ctx, e.RunID, e.Format, e.Variant)
			}
			failed = append(failed, err)
		}
		if err := errors.Join(failed...); err != nil || len(files) < sweepFiles {
			return err
		}
	}
}
