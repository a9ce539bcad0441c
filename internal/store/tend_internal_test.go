package store

import (
	"os"
	"testing"
)

// What is old is removed, what is not stays, and freed space is given back.
func TestExpire(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		now := s.now()
		insert := `INSERT INTO idempotency_keys (workspace_pk, route, key, body_hash, status, body, created_at) VALUES (1, 'r', $1, $2, 200, $2, $3)`
		for key, at := range map[string]int64{"old": micros(now.Add(-idempotencyLife)), "new": micros(now.Add(-idempotencyLife / 2))} {
			if _, err := s.db.write.ExecContext(t.Context(), insert, key, []byte{1}, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		keys, err := collect(t.Context(), s.read, scanText, `SELECT key FROM idempotency_keys`)
		if err != nil || len(keys) != 1 || keys[0] != "new" {
			t.Fatalf("keys %v, %v; want the new one", keys, err)
		}
	})
}

func TestVacuum(t *testing.T) {
	s := bareStore(t, Options{DataDir: t.TempDir()})
	exec := func(q string, args ...any) {
		t.Helper()
		if _, err := s.db.write.ExecContext(t.Context(), q, args...); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		t.Helper()
		exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
		info, err := os.Stat(s.db.dataDir + "/" + dataFile)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	exec(`INSERT INTO results (key, run_pk, task_seq, digest, at, data) VALUES (1, 1, 1, x'00', 1, hex(zeroblob($1)))`, 3*vacuumFrom*pageSize/4)
	full := size()
	exec(`DELETE FROM results`)
	if err := s.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := size(); now > full-vacuumStep*pageSize {
		t.Errorf("%d bytes after the purge, %d before: want space given back", now, full)
	}
}
