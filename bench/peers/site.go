package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// site is what is crawled: a directory of files and the first page in it.
type site struct {
	name, root, start string
	pkg               string // the Debian package that brings it
}

// debian are sites that nobody made for a benchmark. root is a pattern, for
// the version is in the path.
var debian = []site{
	{"python3", "/usr/share/doc/python3/html", "index.html", "python3-doc"},
	{"postgresql", "/usr/share/doc/postgresql-doc-*/html", "index.html", "postgresql-doc"},
	{"openjdk", "/usr/share/doc/openjdk-*-doc/api", "index.html", "openjdk-17-doc"},
	{"openjdk-swing", "/usr/share/doc/openjdk-*-doc/api", "java.desktop/javax/swing/package-summary.html", "openjdk-17-doc"},
}

func siteNames() []string {
	var names []string
	for _, s := range debian {
		names = append(names, s.name)
	}
	return names
}

func findSite(o options) (site, error) {
	if o.root != "" {
		return site{name: filepath.Base(o.root), root: o.root, start: o.start}, nil
	}
	i := slices.IndexFunc(debian, func(s site) bool { return s.name == o.docs })
	if i < 0 {
		return site{}, fmt.Errorf("-docs is %q; it may be one of %s", o.docs, strings.Join(siteNames(), ", "))
	}
	return debian[i], nil
}

// install brings the Debian packages that are missing.
func install(ctx context.Context, s site, peers []peer) error {
	var want []string
	if _, err := exec.LookPath("nginx"); err != nil {
		if _, err := os.Stat("/usr/sbin/nginx"); err != nil {
			want = append(want, "nginx-light")
		}
	}
	if found, _ := filepath.Glob(s.root); s.pkg != "" && len(found) == 0 {
		want = append(want, s.pkg)
	}
	for _, p := range peers {
		for _, need := range p.needs {
			if _, err := exec.LookPath(need.command); err != nil {
				want = append(want, need.pkg)
			}
		}
	}
	if len(want) == 0 {
		return nil
	}
	apt := []string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"}
	if os.Geteuid() != 0 {
		apt = append([]string{"sudo"}, apt...)
	}
	fmt.Println("installing", strings.Join(want, " "))
	return command(ctx, "", append(apt, want...)...)
}

// server is nginx under its own configuration on a port of its own.
type server struct {
	process *exec.Cmd
	dir     string
	url     string // the site's first page
	one     string // a page that links nothing
}

const nginxConf = `daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr crit;
events { worker_connections 512; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000;
	types { text/html html htm; text/css css; text/javascript js; image/png png; image/svg+xml svg; text/plain txt; }
	default_type application/octet-stream;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]d backlog=1024;
		location = /one/index.html {
			default_type text/html;
			return 200 "<!DOCTYPE html><html><head><meta charset=utf-8><title>One</title></head><body><h1>One</h1><p>A page.</p></body></html>";
		}
		location /%[3]s/ { alias %[4]s/; }
	}
}
`

// serve starts nginx and waits until the first page answers.
func serve(ctx context.Context, s site) (*server, error) {
	found, err := filepath.Glob(s.root)
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("no directory %s", s.root)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "peers-nginx-")
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(nginxConf, dir, port, s.name, found[len(found)-1])
	if os.Geteuid() == 0 {
		text = "user nobody nogroup;\n" + text // the files are public; its workers need no more
	}
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	srv := &server{dir: dir, url: base + "/" + s.name + "/" + s.start, one: base + "/one/index.html"}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx"
	}
	srv.process = exec.Command(nginx, "-p", dir, "-e", "stderr", "-c", conf)
	srv.process.Stderr = os.Stderr
	if err := srv.process.Start(); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	if err := srv.ready(ctx); err != nil {
		srv.stop()
		return nil, err
	}
	return srv, nil
}

func (s *server) ready(ctx context.Context) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		resp, err := http.Get(s.url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			return fmt.Errorf("nginx answers %s for the first page, %s", resp.Status, s.url)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("nginx does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *server) stop() {
	s.process.Process.Signal(os.Interrupt)
	s.process.Wait() // it was told to stop; how it took that does not matter
	os.RemoveAll(s.dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// command runs a program with its output shown.
func command(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return nil
}
