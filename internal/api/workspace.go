package api

import (
	"net/http"

	"shoal"
)

// wireWorkspace is a workspace as members of staff see it.
type wireWorkspace struct {
	ID        shoal.WorkspaceID `json:"id"`
	Object    string            `json:"object"`
	Name      string            `json:"name"`
	Plan      string            `json:"plan"`
	Users     int64             `json:"users"`
	Squids    int64             `json:"squids"`
	CreatedAt stamp             `json:"created_at"`
}

func appendWorkspace(b []byte, w *shoal.Workspace) []byte {
	return appendJSON(b, wireWorkspace{w.ID, "workspace", w.Name, w.PlanName, w.Users, w.Squids, stamp(w.CreatedAt)})
}

func (a *API) listWorkspaces(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := a.store.Workspaces(c.ctx(), w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, appendWorkspace)
}

func (a *API) getWorkspace(c *call) error {
	id, err := id32[shoal.WorkspaceID](c, shoal.ErrWorkspaceNotFound)
	if err != nil {
		return err
	}
	w, err := a.store.Workspace(c.ctx(), id)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, appendWorkspace(nil, &w))
}

func (a *API) renameWorkspace(c *call) error {
	id, err := id32[shoal.WorkspaceID](c, shoal.ErrWorkspaceNotFound)
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	name := f.label("name")
	if name == "" {
		f.fail(shoal.Invalid("ParamsNeeded", "name", "name is required"))
	}
	if err := f.error(); err != nil {
		return err
	}
	ctx := effectCtx(c, http.StatusOK, func(w shoal.Workspace) []byte { return appendWorkspace(nil, &w) })
	w, err := a.store.RenameWorkspace(ctx, id, name)
	if err != nil {
		return err
	}
	return c.send(http.StatusOK, appendWorkspace(nil, &w))
}
