package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"shoal/client"
)

type accountSync struct {
	accountFlags
	Type     string   `arg:"" help:"Type of the account; see: shoal account types."`
	Cookie   []string `help:"Cookie, as name=value; may be repeated." short:"c" placeholder:"K=V" sep:"none"`
	Cookies  string   `help:"File of cookies, - for standard input: JSON, a browser's export (JSON or cookies.txt), or a Cookie header." placeholder:"FILE"`
	Account  string   `help:"Account to refresh, by user name or id; without it a new one is made." placeholder:"ACCOUNT"`
	Username string   `help:"What to call it; without it as the site does." placeholder:"NAME"`
	Domain   string   `help:"Site that the cookies are for, with the type cookie-session." placeholder:"DOMAIN"`
}

// Help is the long help of the verb.
func (accountSync) Help() string {
	return `Takes over the session of a browser by its cookies:
  shoal account sync example-wiki --cookies cookies.txt
  shoal account sync example-wiki -c session=abc123
The site is asked whether the session is logged in, where the type says how. With a file from a
browser, only the cookies of the type's site are sent.
The type cookie-session works with any crawler and any site: name the site with --domain.`
}

func (c *accountSync) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		s := client.NewSync{Type: c.Type, Username: c.Username, Domain: c.Domain, Cookies: map[string]any{}}
		if c.Account != "" {
			a, err := account(ctx, api, c.Account)
			if err != nil {
				return err
			}
			s.Account = a.ID
		}
		if err := c.read(ctx, o, api, s.Cookies); err != nil {
			return err
		}
		y, err := api.SyncCookies(ctx, s)
		if err != nil {
			return err
		}
		return c.synchronized(ctx, o, api, y)
	})
}

// maxCookieFile is the largest file of cookies: browsers' exports hold those of
// all sites.
const maxCookieFile = 8 << 20

// read gathers the cookies from file and flags.
func (c *accountSync) read(ctx context.Context, o *output, api *client.Client, into map[string]any) error {
	if c.Cookies == "" && len(c.Cookie) == 0 {
		return &exit{exitUsage, errors.New("no cookies: give --cookies FILE, or -c name=value for each")}
	}
	if c.Cookies != "" {
		file, err := openInput(o, c.Cookies)
		if err != nil {
			return err
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxCookieFile+1))
		if err != nil {
			return fmt.Errorf("read the cookies: %w", err)
		}
		if len(text) > maxCookieFile {
			return &exit{exitUsage, fmt.Errorf("the file of cookies is larger than %d MB", maxCookieFile>>20)}
		}
		site, err := c.site(ctx, api)
		if err != nil {
			return err
		}
		found, err := parseCookies(text)
		if err != nil {
			return &exit{exitUsage, err}
		}
		if others := found.into(site, into); len(into) == 0 && others > 0 {
			return &exit{exitUsage, fmt.Errorf("none of the file's %d cookies is of %s; log in there with the browser first", others, site)}
		}
	}
	for _, word := range c.Cookie {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			// What is wrong is not repeated: it may be a secret.
			return &exit{exitUsage, errors.New("a cookie is not of the form name=value")}
		}
		into[name] = value
	}
	return nil
}

// site is the domain whose cookies are wanted; empty: all.
func (c *accountSync) site(ctx context.Context, api *client.Client) (string, error) {
	types, err := api.AccountTypes(ctx)
	if err != nil {
		return "", err
	}
	for _, t := range types.Data {
		if (t.Name == c.Type || t.ID == c.Type) && t.BaseURL != "" {
			return t.Domain, nil
		}
	}
	return c.Domain, nil
}

type accountLogin struct {
	accountFlags
	Type         string `arg:"" help:"Type of the account; see: shoal account types."`
	Username     string `arg:"" help:"Name that the site knows the account by."`
	PasswordFile string `help:"File with the password, - for standard input; without it it is asked for." placeholder:"FILE" name:"password-file" env:"SHOAL_ACCOUNT_PASSWORD_FILE"`
	OTP          string `help:"One-time code; without it it is asked for when the site wants one." name:"otp" placeholder:"CODE"`
	Remember     bool   `help:"Keep the password, sealed, so that the account logs in again by itself when its session ends."`
}

// Help is the long help of the verb.
func (accountLogin) Help() string {
	return `Logs in as the crawler's definition says, and keeps the session:
  shoal account login example-wiki ada
  shoal account login example-wiki ada --remember --password-file secret.txt
The password is never a flag, where others of the machine could read it. It is forgotten as soon
as the log-in is over, unless --remember asks to keep it. A log-in that asks for a one-time code
waits for it for 15 minutes.`
}

func (c *accountLogin) Run(ctx context.Context, o *output) error {
	password, err := c.password(o)
	if err != nil {
		return err
	}
	return c.with(ctx, o, func(api *client.Client) error {
		s := client.NewSync{Type: c.Type, Username: c.Username, Password: password, OTP: c.OTP, Remember: c.Remember}
		for {
			y, err := api.SyncLogin(ctx, s)
			if err != nil {
				return err
			}
			if y, err = ended(ctx, api, y); err != nil {
				return err
			}
			asks := y.StatusInfo != nil && *y.StatusInfo == "otp_needed"
			if in, ok := o.in.(*os.File); !asks || !ok || !term.IsTerminal(int(in.Fd())) {
				return c.synchronized(ctx, o, api, y)
			}
			o.notef("The site asks for a one-time code: ")
			if s.OTP, err = line(o.in); err != nil || s.OTP == "" {
				return c.synchronized(ctx, o, api, y)
			}
		}
	})
}

// password reads the password from a file, or asks for it.
func (c *accountLogin) password(o *output) (string, error) {
	if c.PasswordFile != "" {
		file, err := openInput(o, c.PasswordFile)
		if err != nil {
			return "", err
		}
		defer file.Close()
		return line(file)
	}
	in, ok := o.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", &exit{exitUsage, errors.New("there is no terminal to ask for the password: give --password-file FILE, - for standard input")}
	}
	o.notef("Password of %s: ", c.Username)
	b, err := term.ReadPassword(int(in.Fd()))
	o.notef("\n")
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(b), nil
}

// line reads the first line, without its end. It reads no further: what follows
// on a terminal is for later.
func line(r io.Reader) (string, error) {
	var text []byte
	for b := make([]byte, 1); len(text) < 64<<10; {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("read a line: %w", err)
		}
		text = append(text, b[:n]...)
	}
	return strings.TrimSuffix(string(text), "\r"), nil
}

type accountRefresh struct {
	accountFlags
	Account string `arg:"" help:"User name or id."`
}

func (c *accountRefresh) Run(ctx context.Context, o *output) error {
	return c.with(ctx, o, func(api *client.Client) error {
		a, err := account(ctx, api, c.Account)
		if err != nil {
			return err
		}
		y, err := api.CheckAccount(ctx, a.ID)
		if err != nil {
			return err
		}
		return c.synchronized(ctx, o, api, y)
	})
}
