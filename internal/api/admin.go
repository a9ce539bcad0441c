package api

import (
	"net/http"
	"strings"

	"shoal"
)

// wireAdminUser is a user as members of staff see them.
type wireAdminUser struct {
	ID            shoal.UserID      `json:"id"`
	Object        string            `json:"object"`
	Email         string            `json:"email"`
	FirstName     string            `json:"first_name"`
	LastName      string            `json:"last_name"`
	Workspace     shoal.WorkspaceID `json:"workspace"`
	IsActive      bool              `json:"is_active"`
	IsStaff       bool              `json:"is_staff"`
	EmailVerified bool              `json:"email_verified"`
	LoginCount    int               `json:"login_count"`
	ProfileImage  orNull            `json:"profile_image"`
	DateJoined    stamp             `json:"date_joined"`
}

type wireAddedUser struct {
	wireAdminUser
	Key orNull `json:"key"`
}

func showUser(u *shoal.User) wireAdminUser {
	return wireAdminUser{
		ID: u.ID, Object: "user", Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, Workspace: u.WorkspaceID,
		IsActive: u.IsActive, IsStaff: u.IsStaff, EmailVerified: u.EmailVerified, LoginCount: u.LoginCount,
		ProfileImage: orNull(u.ProfileImage), DateJoined: stamp(u.DateJoined),
	}
}

// findUser returns a user of any workspace by id or email.
func (a *API) findUser(c *call, idOrEmail string) (shoal.User, error) {
	switch {
	case shoal.ValidID(idOrEmail):
		return a.store.UserByID(c.ctx(), shoal.UserID(idOrEmail))
	case strings.Contains(idOrEmail, "@") && validText(idOrEmail):
		return a.store.UserByEmail(c.ctx(), idOrEmail)
	}
	return shoal.User{}, shoal.ErrUserNotFound
}

func (a *API) listUsers(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	f := shoal.UserFilter{Email: q.Get("email")}
	if f.Workspace, err = idParam[shoal.WorkspaceID](q, "workspace", shoal.ErrWorkspaceNotFound); err != nil {
		return err
	}
	l, err := a.store.Users(c.ctx(), f, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, func(b []byte, u *shoal.User) []byte { return appendJSON(b, showUser(u)) })
}

func (a *API) getUser(c *call) error {
	u, err := a.findUser(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, showUser(&u))
}

// createUser makes a user with a first key, whose secret the answer shows once.
func (a *API) createUser(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("email")
	n := shoal.NewUser{Workspace: f.label("workspace_name"), User: shoal.User{
		Email: f.email("email"), FirstName: f.label("first_name"), LastName: f.label("last_name"),
		ProfileImage: f.image("profile_image"), IsStaff: f.flag("is_staff", false), EmailVerified: f.flag("email_verified", false),
		WorkspaceID: shoal.WorkspaceID(f.text("workspace")),
	}}
	if n.WorkspaceID != "" && n.Workspace != "" {
		f.fail(shoal.Invalid("MultipleParamsNeeded", "workspace,workspace_name", "workspace joins one that is there, workspace_name makes a new one: give one of the two, or neither"))
	}
	if err := f.error(); err != nil {
		return err
	}
	if n.WorkspaceID != "" && !shoal.ValidID(string(n.WorkspaceID)) {
		return shoal.ErrWorkspaceNotFound
	}
	ctx := effectCtx(c, http.StatusCreated, func(u shoal.AddedUser) []byte {
		return appendJSON(nil, wireAddedUser{wireAdminUser: showUser(&u.User)})
	})
	added, err := a.store.AddUser(ctx, n)
	if err != nil {
		return err
	}
	a.log.Info("user made", "user", string(added.User.ID), "staff", added.User.IsStaff, "key", added.Key.Prefix, "by", string(c.key.UserID))
	return c.json(http.StatusCreated, wireAddedUser{showUser(&added.User), orNull(added.Secret)})
}

func (a *API) updateUser(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	var p shoal.UserPatch
	given(f, "email", &p.Email, f.email)
	given(f, "first_name", &p.FirstName, f.label)
	given(f, "last_name", &p.LastName, f.label)
	given(f, "profile_image", &p.ProfileImage, f.image)
	for key, at := range map[string]**bool{"is_active": &p.IsActive, "is_staff": &p.IsStaff, "email_verified": &p.EmailVerified} {
		if f.has(key) {
			f.required(key)
			given(f, key, at, func(key string) bool { return f.flag(key, false) })
		}
	}
	if err := f.error(); err != nil {
		return err
	}
	u, err := a.findUser(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	render := func(u shoal.User) []byte { return appendJSON(nil, showUser(&u)) }
	u, err = a.store.UpdateUser(effectCtx(c, http.StatusOK, render), u.ID, p)
	if err != nil {
		return err
	}
	a.log.Info("user changed", "user", string(u.ID), "active", u.IsActive, "staff", u.IsStaff, "by", string(c.key.UserID))
	return c.send(http.StatusOK, render(u))
}

// given sets *at to what read makes of key, if key was given.
func given[T any](f *fields, key string, at **T, read func(string) T) {
	if f.has(key) {
		v := read(key)
		*at = &v
	}
}

// email returns an address without a name; "" when it is absent or null.
func (f *fields) email(key string) string {
	text := strings.TrimSpace(f.text(key))
	if f.has(key) && f.err == nil && (!validEmail(text)) {
		f.bad(key, "%s is %q; it must be an email address", f.name(key), clip(text, 60))
	}
	return text
}

// maxImage is the most characters of a profile image.
const maxImage = 64 << 10

// image returns the address of an image or the image itself as a data URI. No
// other address is let through: pages will show it.
func (f *fields) image(key string) string {
	text := strings.TrimSpace(f.text(key))
	switch {
	case text == "":
	case len(text) > maxImage:
		f.bad(key, "%s is %d bytes long; the most is %d", f.name(key), len(text), maxImage)
	case !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "data:image/"), strings.ContainsAny(text, "\"<> \t\r\n"):
		f.bad(key, "%s must be an https:// address or a data:image/… URI", f.name(key))
	}
	return text
}
