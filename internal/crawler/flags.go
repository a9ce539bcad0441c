package crawler

import (
	"context"
	"fmt"

	"shoal"
)

// flagged returns p as the operator's flag of it, if there is one, shows it.
func (w *Workspaces) flagged(ctx context.Context, p *Program, err error) (*Program, error) {
	if err != nil {
		return nil, err
	}
	flags, err := w.store.CrawlerFlags(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the flags of crawlers: %w", err)
	}
	f, ok := flags[p.Info.ID]
	if !ok {
		return p, nil
	}
	shown := *p
	show(&shown.Info, f)
	return &shown, nil
}

// show lays an operator's flag over what a definition says of itself.
func show(info *shoal.Crawler, f shoal.CrawlerFlag) {
	info.IsAvailable = false
	info.Maintenance = f.State == shoal.CrawlerMaintenance
	info.HasIssues = info.HasIssues || info.Maintenance
	if f.Message != "" {
		info.Issue = f.Message
	}
}

// showAll is show for a list that is the caller's own.
func (w *Workspaces) showAll(ctx context.Context, list []shoal.Crawler) ([]shoal.Crawler, error) {
	flags, err := w.store.CrawlerFlags(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the flags of crawlers: %w", err)
	}
	for i := range list {
		if f, ok := flags[list[i].ID]; ok {
			show(&list[i], f)
		}
	}
	return list, nil
}
