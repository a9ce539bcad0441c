// Package wikitest gives tests a real web application with a log-in: a private
// DokuWiki, run by PHP's own server on a loopback port, in a temporary directory.
//
// It has a public page, pages that only members see, and members with
// passwords. Its log-in form has a token, its sessions are the server's, and
// they can be ended there, as a site does.
//
// It needs Debian's packages dokuwiki and php-cli; a test that asks for a wiki
// fails where they are missing.
package wikitest

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Member is somebody who can log in.
type Member struct {
	Username, Password, Name string
}

// Members are the members of every wiki.
func Members() []Member {
	return []Member{
		{"ada", "an engine & a half", "Ada Lovelace"},
		{"grace", "nano-second=1ft", "Grace Hopper"},
	}
}

// Wiki is a running DokuWiki.
type Wiki struct {
	// URL is its address, http://127.0.0.1:PORT, without a slash at the end.
	URL string
	// Topics are the titles of the pages that only members see, in order; their
	// index is Index.
	Topics []string

	dir string
}

// Page is the address of a page, such as members:index.
func (w *Wiki) Page(id string) string { return w.URL + "/doku.php?id=" + id }

// Index is the page that lists the members' pages; only members see it.
func (w *Wiki) Index() string { return w.Page("members:index") }

// installed are the files of the Debian packages.
const (
	installed = "/usr/share/dokuwiki"
	missing   = "DokuWiki or PHP is not installed (no %s): apt-get install dokuwiki php-cli"
)

// Start runs a wiki with so many pages for members until t ends.
func Start(t testing.TB, pages int) *Wiki {
	t.Helper()
	for _, file := range []string{installed + "/doku.php", "/usr/bin/php"} {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("wikitest: "+missing, file)
		}
	}
	w := &Wiki{dir: t.TempDir()}
	for i := range pages {
		w.Topics = append(w.Topics, fmt.Sprintf("Topic %03d", i+1))
	}
	if err := w.write(); err != nil {
		t.Fatalf("wikitest: write the wiki's files: %v", err)
	}
	const attempts = 5 // another process may take the port in between
	for i := 1; ; i++ {
		stop, err := w.serve(t.Context())
		if err == nil {
			t.Cleanup(stop)
			return w
		}
		if i == attempts {
			t.Fatalf("wikitest: start PHP's server: %v", err)
		}
	}
}

// write lays out configuration, members and pages.
func (w *Wiki) write() error {
	for _, dir := range []string{"conf", "sessions", "data/pages/members", "data/attic", "data/cache", "data/index", "data/locks", "data/log",
		"data/media", "data/media_attic", "data/media_meta", "data/meta", "data/tmp"} {
		if err := os.MkdirAll(filepath.Join(w.dir, dir), 0o755); err != nil {
			return err
		}
	}
	var users, index strings.Builder
	users.WriteString("# <?php exit()?>\n")
	for _, m := range Members() {
		sum := md5.Sum([]byte(m.Password)) // one of the hashes that DokuWiki knows by their form
		fmt.Fprintf(&users, "%s:%s:%s:%s@example.org:user\n", m.Username, hex.EncodeToString(sum[:]), m.Name, m.Username)
	}
	index.WriteString("====== Members ======\n\n")
	files := map[string]string{
		"prepend.php": "<?php define('DOKU_CONF', '" + w.dir + "/conf/');\n",
		"conf/local.php": "<?php\n$conf['title'] = 'Test wiki';\n$conf['useacl'] = 1;\n$conf['superuser'] = '@admin';\n$conf['savedir'] = '" + w.dir + "/data';\n" +
			"$conf['autopasswd'] = 0;\n$conf['updatecheck'] = 0;\n",
		"conf/acl.auth.php":    "# <?php exit()?>\n*\t@ALL\t1\nmembers:*\t@ALL\t0\nmembers:*\t@user\t1\n",
		"data/pages/start.txt": "====== Welcome ======\n\nEverybody sees this.\n",
	}
	for i, title := range w.Topics {
		id := fmt.Sprintf("t%03d", i+1)
		fmt.Fprintf(&index, "  * [[members:%s|%s]]\n", id, title)
		files["data/pages/members/"+id+".txt"] = fmt.Sprintf("====== %s ======\n\nWhat only members know of %s: %d.\n", title, title, (i+1)*7)
	}
	files["conf/users.auth.php"], files["data/pages/members/index.txt"] = users.String(), index.String()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// serve starts the server on a free port and waits until it answers.
func (w *Wiki) serve(ctx context.Context) (stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	var log bytes.Buffer
	cmd := exec.Command("/usr/bin/php", "-d", "auto_prepend_file="+w.dir+"/prepend.php", "-d", "session.save_path="+w.dir+"/sessions",
		"-d", "session.gc_probability=0", "-d", "date.timezone=UTC", "-d", "display_errors=0", "-d", "opcache.enable_cli=1",
		"-S", address, "-t", installed)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() { cmd.Process.Kill(); <-ended }
	w.URL = "http://" + address
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if up(ctx, w.Page("start")) {
			tick.Stop()
			return stop, nil
		}
		select {
		case <-tick.C:
			continue
		case <-ended:
		case <-ctx.Done():
		}
		stop()
		return nil, fmt.Errorf("it does not answer; its log:\n%s", log.String())
	}
}

func up(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Expire ends every session on the server: cookies given so far log nobody in
// any more.
func (w *Wiki) Expire(t testing.TB) {
	t.Helper()
	sessions, err := filepath.Glob(w.dir + "/sessions/sess_*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range sessions {
		if err := os.Remove(file); err != nil {
			t.Fatalf("wikitest: end a session: %v", err)
		}
	}
	// What the cookies are encrypted with.
	if err := os.WriteFile(w.dir+"/data/meta/_htcookiesalt2", []byte(rand.Text()+rand.Text()), 0o600); err != nil {
		t.Fatalf("wikitest: change the salt: %v", err)
	}
}

// SetPassword changes a member's password, on the server.
func (w *Wiki) SetPassword(t testing.TB, username, password string) {
	t.Helper()
	file := w.dir + "/conf/users.auth.php"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		if parts := strings.SplitN(line, ":", 3); parts[0] == username {
			sum := md5.Sum([]byte(password))
			line = username + ":" + hex.EncodeToString(sum[:]) + ":" + parts[2]
		}
		out.WriteString(line)
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Session logs a member in as a browser does, apart from Shoal, and returns the
// session's cookies by name.
func (w *Wiki) Session(t testing.TB, m Member) map[string]string {
	t.Helper()
	cookies, err := w.session(t.Context(), m)
	if err != nil {
		t.Fatalf("wikitest: log %s in: %v", m.Username, err)
	}
	return cookies
}

// Sessions are the ids of the sessions that the server knows: what is secret of
// its cookies.
func (w *Wiki) Sessions(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(w.dir + "/sessions/sess_*")
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		files[i] = strings.TrimPrefix(filepath.Base(file), "sess_")
	}
	return files
}
