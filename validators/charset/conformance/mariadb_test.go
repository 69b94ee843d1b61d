// Package conformance compares package charset with a real MariaDB.
package conformance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"

	"github.com/kfp-preflight/kfp-preflight/validators/charset"
)

// incorrectString is MySQL's error number for a string that a column can't store.
const incorrectString = 1366

// TestStores stores every character in tables of each character set, through a connection as KFP opens it by default and through
// one configured with utf8mb4.
func TestStores(t *testing.T) {
	server := start(t)
	for _, test := range []struct{ tables, connection, want string }{
		{"latin1", "utf8", "latin1"},
		{"utf8mb3", "utf8", "utf8mb3"},
		{"utf8mb4", "utf8", "utf8mb3"}, // the connection is the narrower one
		{"utf8mb4", "utf8mb4", "utf8mb4"},
		{"utf8mb3", "utf8mb4", "utf8mb3"},
		{"latin1", "utf8mb4", "latin1"},
	} {
		t.Run(test.tables+" through "+test.connection, func(t *testing.T) {
			want, err := charset.Parse(test.want)
			if err != nil {
				t.Fatal(err)
			}
			db := server.createDatabase(t, test.tables, test.connection)
			stored := storedCharacters(t, db)
			wrong := 0
			for r := rune(0); r <= utf8.MaxRune; r++ {
				if utf8.ValidRune(r) && stored[r] != want.Stores(r) {
					if wrong++; wrong < 20 {
						t.Errorf("%U is stored: %v", r, stored[r])
					}
				}
			}
			testStrictMode(t, db, want)
		})
	}
}

// storedCharacters returns the characters that the database stores. INSERT IGNORE makes it replace the others.
func storedCharacters(t *testing.T, db *sql.DB) map[rune]bool {
	t.Helper()
	if _, err := db.Exec("CREATE TABLE one (r INT PRIMARY KEY, c LONGTEXT)"); err != nil {
		t.Fatal(err)
	}
	const rows = 8192
	for first := rune(0); first <= utf8.MaxRune; first += rows {
		var values []string
		for r := first; r < first+rows && r <= utf8.MaxRune; r++ {
			if utf8.ValidRune(r) {
				values = append(values, fmt.Sprintf("(%d, '%s')", r, quote(r)))
			}
		}
		if len(values) == 0 {
			continue
		}
		if _, err := db.Exec("INSERT IGNORE INTO one VALUES " + strings.Join(values, ",")); err != nil {
			t.Fatalf("from %U: %v", first, err)
		}
	}
	results, err := db.Query("SELECT r, c FROM one")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = results.Close() }()
	stored := map[rune]bool{}
	for results.Next() {
		var r rune
		var text string
		if err := results.Scan(&r, &text); err != nil {
			t.Fatal(err)
		}
		stored[r] = text == string(r)
	}
	if err := results.Err(); err != nil {
		t.Fatal(err)
	}
	return stored
}

// quote escapes a character for a string literal of SQL.
func quote(r rune) string {
	if r == '\'' || r == '\\' || r == 0 {
		return "\\" + strings.ReplaceAll(string(r), "\x00", "0")
	}
	return string(r)
}

// testStrictMode stores strings as KFP does, with a prepared statement in strict mode, which must fail with error 1366 for
// characters that the columns can't store.
func testStrictMode(t *testing.T, db *sql.DB, want charset.Charset) {
	t.Helper()
	const table = "CREATE TABLE run_details (UUID varchar(191) NOT NULL PRIMARY KEY, " +
		"DisplayName varchar(255) NOT NULL, WorkflowRuntimeManifest longtext NOT NULL)"
	if _, err := db.Exec(table); err != nil {
		t.Fatal(err)
	}
	for i, r := range []rune{
		'a', 'é', '€', '“', 'š', 'č', 0x81, 0x85, '여', 'ひ', '漢', '→',
		0x200B, 0x2028, 0xFFFD, 0xFFFF, 0x10000, '😀', '𠮷', utf8.MaxRune,
	} {
		for column, values := range map[string][]any{
			"DisplayName":             {"x" + string(r), "x"},
			"WorkflowRuntimeManifest": {"x", "x" + string(r)},
		} {
			_, err := db.Exec("INSERT INTO run_details VALUES (?, ?, ?)", append([]any{fmt.Sprintf("%d-%s", i, column)}, values...)...)
			var mysqlErr *mysql.MySQLError
			isIncorrectString := errors.As(err, &mysqlErr) && mysqlErr.Number == incorrectString &&
				strings.Contains(err.Error(), "Incorrect string value")
			switch {
			case err == nil && !want.Stores(r):
				t.Errorf("%U is stored in %s", r, column)
			case err != nil && want.Stores(r):
				t.Errorf("%U is not stored in %s: %v", r, column, err)
			case err != nil && !isIncorrectString:
				t.Errorf("%U in %s: another error: %v", r, column, err)
			}
		}
	}
}

// server is a MariaDB server that listens on a Unix socket.
type server struct{ socket string }

// start starts a MariaDB server. It skips the test if MariaDB is not installed.
func start(t *testing.T) server {
	t.Helper()
	// Debian installs the programs in directories that are in the PATH of root only.
	_ = os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/usr/bin")
	for _, program := range []string{"mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: 'apt-get install mariadb-server' lets this test run", program)
		}
	}
	dir, err := os.MkdirTemp("", "mariadb") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "socket")
	install := exec.Command("mariadb-install-db", "--no-defaults", "--user="+me.Username, "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var log strings.Builder
	cmd := exec.Command("mariadbd", "--no-defaults", "--user="+me.Username, "--datadir="+data, "--socket="+socket,
		"--skip-networking", "--pid-file="+filepath.Join(dir, "pid"), "--innodb-flush-log-at-trx-commit=0",
		"--skip-log-bin", "--max-allowed-packet=64M")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if conn, err := (&net.Dialer{}).DialContext(context.Background(), "unix", socket); err == nil {
			_ = conn.Close()
			return server{socket}
		}
		if time.Now().After(deadline) {
			t.Fatalf("MariaDB does not start:\n%s", log.String())
		}
	}
}

// createDatabase creates the database mlpipeline with the given character set for its tables, replacing an existing one, and
// connects to it with KFP's parameters.
// Source: kubeflow/pipelines 7b70c7b backend/src/apiserver/client/sql.go CreateMySQLConfig.
func (s server) createDatabase(t *testing.T, tables, connection string) *sql.DB {
	t.Helper()
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "unix", s.socket
	config.Params = map[string]string{"charset": connection}
	config.MaxAllowedPacket = 0 // ask the server
	admin, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	for _, statement := range []string{"DROP DATABASE IF EXISTS mlpipeline", "CREATE DATABASE mlpipeline CHARACTER SET " + tables} {
		if _, err := admin.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	config.DBName = "mlpipeline"
	db, err := sql.Open("mysql", config.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
