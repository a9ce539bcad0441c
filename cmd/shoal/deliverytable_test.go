package main

import (
	"context"
	"database/sql"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"shoal/client"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/fixtures"
	"shoal/internal/mariatest"
	"shoal/internal/pgtest"
)

func TestKilledBetweenCommitAndRecordPostgres(t *testing.T) {
	t.Parallel()
	address := pgtest.Database(t)
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	killedBetweenCommitAndRecord(t, address, db, 3) // that of the table, what goes ON COMMIT, that of the rows
}

func TestKilledBetweenCommitAndRecordMariaDB(t *testing.T) {
	t.Parallel()
	address := mariatest.Database(t)
	killedBetweenCommitAndRecord(t, address, mariatest.Open(t, address), 1)
}

// killedBetweenCommitAndRecord kills the server when a database has a run's rows
// and it does not know yet: they are delivered once more, and are there once.
func killedBetweenCommitAndRecord(t *testing.T, address string, db *sql.DB, commit int) {
	relay := delivertest.NewRelay(t, address)
	committed := relay.Swallow(commit, true)
	srv := newServer(t, t.TempDir(), "", "--allow-private-deliveries")
	srv.start()
	ctx, api := t.Context(), srv.client()
	squid, err := api.CreateSquid(ctx, "website", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.AddTasks(ctx, squid.ID, []map[string]any{{"url": site(t, fixtures.Static()) + "/"}}); err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{"url": relay.Through(address), "table": "pages", "mode": "insert"}
	if _, err := api.SetDelivery(ctx, squid.ID, map[string]any{"database_fields": fields}); err != nil {
		t.Fatal(err)
	}
	run, err := api.StartRun(ctx, squid.ID)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-committed:
	case <-time.After(time.Minute):
		t.Fatal("the rows did not come within a minute")
	}
	srv.kill()
	srv.start()
	ended := srv.await(run.ID, time.Minute, func(r *client.Run) bool { return r.IsDone })
	waitDelivered(t, srv, run.ID)
	var rows, ids int64
	if err := db.QueryRowContext(context.WithoutCancel(ctx), "SELECT COUNT(*), COUNT(DISTINCT shoal_id) FROM pages").Scan(&rows, &ids); err != nil {
		t.Fatal(err)
	}
	if rows == 0 || rows != ids || rows != ended.TotalUniqueResults {
		t.Errorf("the table has %d rows of %d results; the run has %d", rows, ids, ended.TotalUniqueResults)
	}
}

// waitDelivered waits until the run's delivery is recorded as made.
func waitDelivered(t *testing.T, srv *server, run string) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		p, err := srv.client().Deliveries(t.Context(), run, "", "", client.Window{})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Data) == 1 && p.Data[0].Status == "delivered" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the deliveries are %+v", p.Data)
		}
	}
}
