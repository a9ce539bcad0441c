package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"shoal"
)

const (
	// maxOwnCrawlers is how many crawlers a workspace may have made.
	maxOwnCrawlers = 500
	// maxOwnText is how many bytes the definitions of a workspace's crawlers have
	// together: compiled they may take a hundred times as much.
	maxOwnText = 8 << 20
	// keptVersions is how many versions of a crawler are kept besides those
	// that runs use.
	keptVersions = 20
)

const ownCrawlerQuery = `SELECT c.id, w.id, v.pk, v.slug, v.version, v.digest, v.definition, v.created_at, c.created_at, c.updated_at
	FROM crawlers c JOIN workspaces w ON w.pk = c.workspace_pk JOIN crawler_versions v ON v.pk = c.version_pk WHERE w.id = $1`

func scanOwnCrawler(r scanner) (c shoal.OwnCrawler, err error) {
	t := times{}
	v := &c.Version
	err = r.Scan(&c.ID, &c.WorkspaceID, &v.PK, &v.Slug, &v.Version, &v.Digest, &v.Definition, t.into(&v.CreatedAt),
		t.into(&c.CreatedAt), t.into(&c.UpdatedAt))
	v.CrawlerID = c.ID
	return c, err
}

// Crawler returns the workspace's own crawler with the id or slug.
func (s *Store) Crawler(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (shoal.OwnCrawler, error) {
	return s.ownCrawler(ctx, s.read, ws, idOrSlug)
}

func (s *Store) ownCrawler(ctx context.Context, q querier, ws shoal.WorkspaceID, idOrSlug string) (shoal.OwnCrawler, error) {
	c, err := scanOwnCrawler(q.QueryRowContext(ctx, ownCrawlerQuery+` AND (c.id = $2 OR c.slug = $2)`, string(ws), idOrSlug))
	if errors.Is(err, sql.ErrNoRows) {
		return c, shoal.ErrCrawlerNotFound
	}
	if err != nil {
		return c, fmt.Errorf("read crawler: %w", err)
	}
	return c, nil
}

// Crawlers lists the workspace's own crawlers, by slug.
func (s *Store) Crawlers(ctx context.Context, ws shoal.WorkspaceID) ([]shoal.OwnCrawler, error) {
	all, err := collect(ctx, s.read, scanOwnCrawler, ownCrawlerQuery+` ORDER BY c.slug`, string(ws))
	if err != nil {
		return nil, fmt.Errorf("list crawlers: %w", err)
	}
	return all, nil
}

// CreateCrawler stores a crawler (ID, WorkspaceID and the version's Slug, Digest
// and Definition set) as version 1. A slug that the workspace has is a Conflict.
func (s *Store) CreateCrawler(ctx context.Context, c shoal.OwnCrawler) (made shoal.OwnCrawler, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var n int64
		const count = `SELECT COUNT(*) FROM crawlers WHERE workspace_pk = (SELECT pk FROM workspaces WHERE id = $1)`
		if err := tx.QueryRowContext(ctx, count, string(c.WorkspaceID)).Scan(&n); err != nil {
			return err
		}
		if n >= maxOwnCrawlers {
			return shoal.Business("UsageLimitExceeded", "This workspace has %d crawlers of its own, and no more are allowed: delete one", n)
		}
		version, err := s.addVersion(ctx, tx, c)
		if err != nil {
			return err
		}
		const insert = `INSERT INTO crawlers (id, workspace_pk, slug, version_pk, created_at, updated_at)
			VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $3, $4, $5, $5)`
		if _, err := tx.ExecContext(ctx, insert, string(c.ID), string(c.WorkspaceID), c.Version.Slug, version, micros(s.now())); err != nil {
			return err
		}
		if err := checkText(ctx, tx, c.WorkspaceID); err != nil {
			return err
		}
		if made, err = s.ownCrawler(ctx, tx, c.WorkspaceID, string(c.ID)); err != nil {
			return err
		}
		return s.remember(ctx, tx, made)
	})
	if uniqueViolation(err) {
		return shoal.OwnCrawler{}, slugTaken(c.Version.Slug)
	}
	if err != nil {
		return shoal.OwnCrawler{}, fmt.Errorf("create crawler: %w", err)
	}
	return made, nil
}

// checkText refuses what brings the definitions of a workspace over their bound.
func checkText(ctx context.Context, tx *sql.Tx, ws shoal.WorkspaceID) error {
	const sum = `SELECT COALESCE(SUM(LENGTH(v.definition)), 0) FROM crawlers c JOIN crawler_versions v ON v.pk = c.version_pk
		WHERE c.workspace_pk = (SELECT pk FROM workspaces WHERE id = $1)`
	var n int64
	if err := tx.QueryRowContext(ctx, sum, string(ws)).Scan(&n); err != nil {
		return fmt.Errorf("sum up definitions: %w", err)
	}
	if n > maxOwnText {
		return shoal.Business("UsageLimitExceeded", "The definitions of this workspace would have %d bytes together, and no more than %d are allowed: delete a crawler", n, maxOwnText)
	}
	return nil
}

func slugTaken(slug string) error {
	return shoal.Conflict("DuplicateModule", "slug", "There is a crawler with the slug %q already: choose another, or change that one with PUT", slug)
}

// addVersion stores the definition of c as its next version, or finds the one
// that has the same text, and returns its number.
func (s *Store) addVersion(ctx context.Context, tx *sql.Tx, c shoal.OwnCrawler) (pk int64, err error) {
	const insert = `INSERT INTO crawler_versions (crawler_id, workspace_pk, slug, version, digest, definition, created_at)
		VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $3,
			(SELECT COALESCE(MAX(version), 0) + 1 FROM crawler_versions WHERE crawler_id = $1), $4, $5, $6)
		ON CONFLICT (crawler_id, digest) DO NOTHING`
	v := &c.Version
	_, err = tx.ExecContext(ctx, insert, string(c.ID), string(c.WorkspaceID), v.Slug, v.Digest, v.Definition, micros(s.now()))
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT pk FROM crawler_versions WHERE crawler_id = $1 AND digest = $2`, string(c.ID), v.Digest).Scan(&pk)
	}
	if err != nil {
		return 0, fmt.Errorf("add a version: %w", err)
	}
	return pk, nil
}

// UpdateCrawler makes the definition of c (ID, WorkspaceID and the version set)
// the one that counts; runs that have begun keep theirs. The same text is the
// same version. Old versions that no run uses are forgotten.
func (s *Store) UpdateCrawler(ctx context.Context, c shoal.OwnCrawler) (changed shoal.OwnCrawler, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := s.ownCrawler(ctx, tx, c.WorkspaceID, string(c.ID)); err != nil {
			return err
		}
		version, err := s.addVersion(ctx, tx, c)
		if err != nil {
			return err
		}
		const update = `UPDATE crawlers SET slug = $1, version_pk = $2, updated_at = $3 WHERE id = $4`
		if _, err := tx.ExecContext(ctx, update, c.Version.Slug, version, micros(s.now()), string(c.ID)); err != nil {
			return err
		}
		const rename = `UPDATE squids SET crawler_slug = $1 WHERE crawler_id = $2 AND crawler_slug <> $1`
		if _, err := tx.ExecContext(ctx, rename, c.Version.Slug, string(c.ID)); err != nil {
			return err
		}
		if err := checkText(ctx, tx, c.WorkspaceID); err != nil {
			return err
		}
		if err := s.forgetVersions(ctx, tx, c.ID, keptVersions); err != nil {
			return err
		}
		if changed, err = s.ownCrawler(ctx, tx, c.WorkspaceID, string(c.ID)); err != nil {
			return err
		}
		return s.remember(ctx, tx, changed)
	})
	if uniqueViolation(err) {
		return shoal.OwnCrawler{}, slugTaken(c.Version.Slug)
	}
	if err != nil {
		return shoal.OwnCrawler{}, fmt.Errorf("update crawler: %w", err)
	}
	return changed, nil
}

// forgetVersions removes all but the newest versions of a crawler that neither
// it nor a run uses.
func (s *Store) forgetVersions(ctx context.Context, tx *sql.Tx, id shoal.CrawlerID, keep int) error {
	const text = `DELETE FROM crawler_versions WHERE crawler_id = $1
		AND version <= (SELECT MAX(version) FROM crawler_versions WHERE crawler_id = $1) - $2
		AND pk NOT IN (SELECT version_pk FROM crawlers WHERE id = $1)
		AND pk NOT IN (SELECT version_pk FROM runs WHERE crawler_id = $1)`
	if _, err := tx.ExecContext(ctx, text, string(id), keep); err != nil {
		return fmt.Errorf("forget old versions: %w", err)
	}
	return nil
}

// DeleteCrawler deletes a crawler that no living squid uses; one that is used is
// a Conflict that names the squids. Runs of deleted squids keep their version
// until they are purged.
func (s *Store) DeleteCrawler(ctx context.Context, ws shoal.WorkspaceID, id shoal.CrawlerID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		c, err := s.ownCrawler(ctx, tx, ws, string(id))
		if err != nil {
			return err
		}
		names, err := collect(ctx, tx, scanText, `SELECT name FROM squids WHERE crawler_id = $1 AND deleted_at = 0 ORDER BY pk`, string(c.ID))
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return inUse(c.Version.Slug, names)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM crawlers WHERE id = $1`, string(c.ID)); err != nil {
			return err
		}
		if err := s.forgetVersions(ctx, tx, c.ID, 0); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("delete crawler: %w", err)
	}
	return nil
}

func inUse(slug string, squids []string) error {
	const shown = 3
	quoted := make([]string, 0, shown)
	for _, n := range squids[:min(shown, len(squids))] {
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	list := strings.Join(quoted, ", ")
	if more := len(squids) - shown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return shoal.Conflict("ModuleInUse", "id", "The crawler %s is used by the squids %s: delete them first", slug, list)
}
