package runs

import (
	"context"
	"fmt"

	"shoal"
	"shoal/internal/export"
)

// Attributes returns the fields that the run's results can have, in the
// crawler's order: those of the definition that the run copied, without those
// of add-ons that were off.
func (s *Service) Attributes(ctx context.Context, r *shoal.Run) ([]shoal.Attribute, error) {
	v, err := s.store.CrawlerVersion(ctx, r.VersionPK)
	if err != nil {
		return nil, fmt.Errorf("read crawler version %d: %w", r.VersionPK, err)
	}
	fields, err := s.engine.Attributes(v, r.Settings)
	if err != nil {
		return nil, &writeError{err} // trying again would not change it
	}
	return fields, nil
}

// Rows returns what is exported of the run, oldest first: its results; with
// ExportUniqueResults, without those that a former run of the squid collected
// too.
func (s *Service) Rows(ctx context.Context, r *shoal.Run) export.Rows {
	q := shoal.ResultQuery{Workspace: r.WorkspaceID, Run: r.ID}
	if !r.Settings.ExportUniqueResults {
		return export.Read(ctx, s.store, q)
	}
	q.Run, q.Squid = "", r.SquidID
	first := export.Unique(export.Read(ctx, s.store, q))
	return func(yield func(*shoal.Result, error) bool) {
		for row, err := range first {
			if err == nil && row.RunPK != r.PK {
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
