package mariatest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// startAttempts is how often the server is started on another port when the
// one chosen was taken in between.
const startAttempts = 5

// supervise runs the server and waits for its own standard input, a pipe from
// the test binary, to close; the kernel closes it even after kill -9. $1 is the
// directory to remove, the rest the server's command.
const supervise = `dir="$1"; shift; "$@" </dev/null & server=$!; exec 2>&-; cat >/dev/null; kill -9 $server; wait $server; rm -rf "$dir"`

// supervisorPipe keeps the supervisor's standard input open as long as this
// process lives. It is a variable of the package so that no finalizer closes it.
var supervisorPipe io.WriteCloser

// startServer makes a data directory, starts a server on it and returns its
// address.
func startServer() (string, error) {
	program, err := find("mariadbd")
	if err != nil {
		return "", err
	}
	install, err := find("mariadb-install-db")
	if err != nil {
		return "", err
	}
	var failed error
	for range startAttempts {
		var address string
		if address, failed = start(program, install); failed == nil {
			return address, nil
		}
	}
	return "", failed
}

// find returns the path of a program of MariaDB, which Debian keeps partly off PATH.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	path := "/usr/sbin/" + program
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("MariaDB is not installed (no %s in PATH or /usr/sbin): apt-get install mariadb-server", program)
	}
	return path, nil
}

func start(program, install string) (string, error) {
	dir, err := os.MkdirTemp("", "shoal-maria-")
	if err != nil {
		return "", err
	}
	as, err := giveTo(dir)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	data := filepath.Join(dir, "data")
	made := exec.Command(install, append(as, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")...)
	if said, err := made.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("mariadb-install-db: %w: %s", err, said), os.RemoveAll(dir))
	}
	port, err := freePort()
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	args := append([]string{"-c", supervise, "sh", dir, program, "--no-defaults"}, as...)
	args = append(args, "--datadir="+data, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--socket="+filepath.Join(dir, "s"),
		"--pid-file="+filepath.Join(dir, "pid"), "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-log-bin", "--max-connections=200")
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir = "/"
	// In a session of its own, so that a Ctrl-C at the terminal spares it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	log, err := cmd.StderrPipe()
	if err != nil {
		return "", err
	}
	if supervisorPipe, err = cmd.StdinPipe(); err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	if err := ready(log); err != nil {
		return "", errors.Join(err, supervisorPipe.Close(), cmd.Wait())
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// giveTo lets the server's own user have the directory when this process is
// root, and returns the option that makes the server that user.
func giveTo(dir string) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("mysql")
	if err != nil {
		return nil, fmt.Errorf("MariaDB is to run as the user mysql: %w", err)
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	return []string{"--user=mysql"}, errors.Join(errUID, errGID, os.Chown(dir, uid, gid))
}

// ready reads the server's log until it listens, and goes on emptying it.
func ready(log io.Reader) error {
	var said []string
	for lines := bufio.NewScanner(log); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "ready for connections") {
			go io.Copy(io.Discard, log)
			return nil
		}
	}
	return fmt.Errorf("mariadbd does not start:\n%s", strings.Join(said, "\n"))
}

// freePort returns a loopback port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
