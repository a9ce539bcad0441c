package crawler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shoal"
)

// AccountTypes lists the account types that the workspace's crawlers declare,
// the generic one first, the others by slug.
func (w *Workspaces) AccountTypes(ctx context.Context, ws shoal.WorkspaceID) ([]shoal.AccountType, error) {
	all, err := w.List(ctx, ws)
	if err != nil {
		return nil, err
	}
	types := []shoal.AccountType{CookieSession()}
	for _, c := range all {
		if t := c.Account; t != nil && !slices.ContainsFunc(types, func(k shoal.AccountType) bool { return k.Slug == t.Slug }) {
			types = append(types, *t)
		}
	}
	slices.SortFunc(types[1:], func(a, b shoal.AccountType) int { return strings.Compare(a.Slug, b.Slug) })
	return types, nil
}

// AccountType returns an account type, by slug or id, with the way in which its
// sessions are tried and made; shoal.ErrAccountTypeNotFound.
func (w *Workspaces) AccountType(ctx context.Context, ws shoal.WorkspaceID, slugOrID string) (*Account, error) {
	if generic := CookieSession(); slugOrID == generic.Slug || slugOrID == generic.ID {
		return &Account{Type: generic}, nil
	}
	all, err := w.List(ctx, ws)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Account == nil || c.Account.Slug != slugOrID && c.Account.ID != slugOrID {
			continue
		}
		p, err := w.Lookup(ctx, ws, string(c.ID))
		if errors.Is(err, shoal.ErrCrawlerNotFound) {
			continue // deleted just now
		}
		if err != nil {
			return nil, err
		}
		return p.Account, nil
	}
	return nil, shoal.ErrAccountTypeNotFound
}

// CheckAccount refuses a crawler that declares an account type otherwise than
// another crawler of the workspace does. except is the crawler that it takes the
// place of; it may be empty.
func (w *Workspaces) CheckAccount(ctx context.Context, ws shoal.WorkspaceID, info *shoal.Crawler, except shoal.CrawlerID) error {
	if info.Account == nil {
		return nil
	}
	all, err := w.List(ctx, ws)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.ID != except && differs(c.Account, info.Account) {
			return shoal.Invalid("ParamsInvalid", "definition", "%s", otherType(info.Account.Slug, "the crawler "+c.Slug))
		}
	}
	return nil
}

// differs reports whether two crawlers give one account type two definitions.
func differs(a, b *shoal.AccountType) bool {
	return a != nil && b != nil && a.Slug == b.Slug && a.Digest != b.Digest
}

func otherType(slug, where string) string {
	return fmt.Sprintf("the account type %q is defined otherwise by %s: give both the same account block (requires apart), or this one another account.slug", clip(slug, 60), where)
}

// checkTypes refuses definitions of the directories that give an account type
// another definition than an earlier file does, or a built-in crawler that is
// loaded. Those that worked before stay in their last good version.
func (c *Catalogue) checkTypes() Problems {
	paths := make([]string, 0, len(c.files))
	for p := range c.files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	first := map[string]*shoal.AccountType{}
	where := map[string]string{}
	for _, slug := range c.slugs {
		if p := c.compiled[slug]; p != nil && p.Info.Account != nil {
			first[p.Info.Account.Slug], where[p.Info.Account.Slug] = p.Info.Account, "the built-in crawler "+slug
		}
	}
	var problems Problems
	for _, path := range paths {
		f := c.files[path]
		p := f.newest()
		if p == nil || p.Info.Account == nil {
			f.settle()
			continue
		}
		t := p.Info.Account
		if !differs(first[t.Slug], t) {
			if first[t.Slug] == nil {
				first[t.Slug], where[t.Slug] = t, path
			}
			f.settle()
			continue
		}
		problem := Problem{File: path, Line: p.accountAt.line, Column: p.accountAt.col, Message: otherType(t.Slug, where[t.Slug])}
		if f.hold(problem) {
			problems = append(problems, problem)
		}
	}
	return problems
}

// newest is the definition that the file has now, in use or not.
func (f *dirFile) newest() *Program {
	if f.fresh != nil {
		return f.fresh
	}
	return f.program
}

// settle puts a fresh definition to use.
func (f *dirFile) settle() {
	if f.fresh != nil {
		f.program, f.fresh, f.why = f.fresh, nil, ""
	}
}

// hold keeps the newest definition from use, and reports whether that is news.
// The one in use stays, as one that has issues.
func (f *dirFile) hold(p Problem) bool {
	if f.why == p.Message {
		return false
	}
	f.why, f.fresh = p.Message, f.newest()
	if f.program != nil {
		f.program = f.program.troubled(Problems{p})
	}
	return true
}
