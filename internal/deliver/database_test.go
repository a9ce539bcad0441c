package deliver_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/export"
	"shoal/internal/mariatest"
	"shoal/internal/pgtest"
	"shoal/internal/sqltable"
	"shoal/internal/store/storetest"
)

// tabled is an office whose squid's results go into a table.
func tabled(t *testing.T, e *storetest.Env, dir *sqltable.Dir) *office {
	return newOffice(t, e, func(o *deliver.Options) {
		o.Columns = func(context.Context, *shoal.Run) ([]shoal.Attribute, error) {
			return []shoal.Attribute{{Name: "name", Type: shoal.AttrString}, {Name: "stock", Type: shoal.AttrInteger}}, nil
		}
		o.Rows = func(ctx context.Context, r *shoal.Run) export.Rows {
			return export.Read(ctx, e.Store, shoal.ResultQuery{Workspace: r.WorkspaceID, Run: r.ID})
		}
		o.Tables.Dir = dir
	})
}

// collected is a run that has found the rows and ended.
func (f *office) collected(rows ...shoal.Row) shoal.RunID {
	f.t.Helper()
	run := f.Env.Run(f.t, f.squid, shoal.RunSettings{})
	l := f.Lease(f.t, run.ID, 0)
	f.Commit(f.t, storetest.Page(l, f.Claim(f.t, l, 1)[0], rows...))
	f.exported(run.ID)
	return run.ID
}

func stocked(name, stock string) shoal.Row {
	r := storetest.Row(name)
	r.Data = []byte(`{"name":"` + name + `","stock":` + stock + `}`)
	return r
}

// TestTables delivers two runs and a repeat into each kind of database.
func TestTables(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e *storetest.Env) {
		home := t.TempDir()
		dir, err := sqltable.OpenDir(home)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		pg, my := pgtest.Database(t), mariatest.Database(t)
		file := filepath.Join(home, string(e.Workspace), "shop.db")
		for url, db := range map[string]*sql.DB{pg: openDB(t, "pgx", pg), my: mariatest.Open(t, my), "sqlite:///shop.db": openDB(t, "sqlite", "file:"+file)} {
			f := tabled(t, e, dir)
			config := map[string]any{"url": url, "table": "things"}
			if a := f.service.TestOf(t.Context(), e.Workspace, shoal.ChannelDatabase, jsonOf(t, config)); !a.OK || !strings.Contains(a.Detail, "may be made") {
				t.Errorf("%s: the test says %+v", url, a)
			}
			f.set(map[shoal.Channel]map[string]any{shoal.ChannelDatabase: config})
			first := f.collected(stocked("bolt", "1"), stocked("nut", "2"))
			f.deliver(shoal.ChannelDatabase, 1)
			second := f.collected(stocked("bolt", "3"), stocked("gear", "4"))
			f.deliver(shoal.ChannelDatabase, 1)
			d := f.log(first)[0]
			if d.Status != shoal.DeliveryDelivered || !strings.HasPrefix(d.Detail, "2 rows are in the table, which was made") || strings.Contains(d.Target, "@") {
				t.Fatalf("%s: %s %s %q", url, d.Status, d.Target, d.Detail)
			}
			for _, id := range []shoal.DeliveryID{f.log(second)[0].ID, d.ID} {
				if _, err := e.Store.Redeliver(t.Context(), e.Workspace, id); err != nil {
					t.Fatal(err)
				}
				f.deliver(shoal.ChannelDatabase, 1)
			}
			var n, sum int
			if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*), SUM(stock) FROM things").Scan(&n, &sum); err != nil || n != 3 || sum != 9 {
				t.Errorf("%s: %d rows with %d in stock, %v; want 3 with 9", url, n, sum, err)
			}
			if strings.HasPrefix(url, "sqlite") {
				continue // it keeps any number in any column
			}
			// A value that fits no column is for a person to mend.
			third := f.collected(stocked("bolt", `1.5`))
			f.deliver(shoal.ChannelDatabase, 1)
			if d := f.log(third)[0]; d.Status != shoal.DeliveryFailed || !strings.Contains(d.Detail, `column stock, value "1.5"`) {
				t.Errorf("%s: %s %q", url, d.Status, d.Detail)
			}
		}
	})
}

func openDB(t *testing.T, driver, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func jsonOf(t *testing.T, v map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReplacedByGoodRunsAlone: a run that failed does not empty the table.
func TestReplacedByGoodRunsAlone(t *testing.T) {
	for mode, want := range map[string]int{"replace": 1, "upsert": 3, "insert": 3, "": 3} {
		got := deliver.Wants(shoal.ChannelDatabase, jsonOf(t, map[string]any{"is_active": true, "mode": mode}))
		if len(got) != want || got[0] != shoal.EventRunDone {
			t.Errorf("%q wants %v", mode, got)
		}
	}
}

// TestTablesAreGuarded: no address inside is reached, and no file but those of
// the directory.
func TestTablesAreGuarded(t *testing.T) {
	inside, reached := listenAt(t, "127.0.0.1:0")
	defer inside.Close()
	service := guarded(zone{"inside.test": {"127.0.0.1"}})
	_, port, _ := strings.Cut(inside.Addr().String(), ":")
	for _, host := range []string{"127.0.0.1", "inside.test", "[::1]", "169.254.169.254", "2130706433"} {
		for _, scheme := range []string{"postgres", "mysql"} {
			config := map[string]any{"url": scheme + "://u:s3cret@" + host + ":" + port + "/d", "table": "t"}
			a := service.Test(t.Context(), shoal.ChannelDatabase, jsonOf(t, config))
			if a.OK || !strings.Contains(a.Detail, "is not visited") || strings.Contains(a.Detail+a.Target, "s3cret") {
				t.Errorf("%s to %s: %+v", scheme, host, a)
			}
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("an address inside was reached %d times", n)
	}
	a := service.Test(t.Context(), shoal.ChannelDatabase, []byte(`{"url":"sqlite:///shop.db","table":"t"}`))
	if a.OK || !strings.Contains(a.Detail, "--delivery-dir") {
		t.Errorf("a file without a directory: %+v", a)
	}
}
