package sqltable_test

import (
	"strings"
	"testing"

	"shoal"
	"shoal/internal/sqltable"
)

const (
	bolt  = `{"url":"https://shop.test/bolt","title":"Bolt","stock":12,"price":0.1,"sold":true,"tags":["a",{"b":null}]}`
	nut   = `{"url":"https://shop.test/nut","title":"Nut","stock":null,"price":2,"sold":false,"tags":null}`
	bolt2 = `{"url":"https://shop.test/bolt","title":"Bolt, longer","stock":9007199254740993,"price":1e-7,"sold":false,"tags":{}}`
	gear  = `{"url":"https://shop.test/gear","title":"Gear"}`
)

// TestUpsert has two runs: the table is the present state, and a repeat, also
// of the older run, changes nothing of it.
func TestUpsert(t *testing.T) {
	each(t, func(t *testing.T, s *side) {
		c := s.config("things", upsert)
		first := rows(result(1, "bolt", bolt), result(1, "nut", nut))
		second := rows(result(2, "bolt", bolt2), result(2, "gear", gear))
		if r := s.load(t, c, first); !r.Created || r.Rows != 2 {
			t.Errorf("%+v", r)
		}
		const what = "SELECT title, stock, sold, shoal_run FROM things ORDER BY url"
		yes, no := "true", "false"
		if s.name != "postgres" {
			yes, no = "1", "0"
		}
		run := func(n string) string { return strings.Repeat("0", 31) + n }
		s.expect(t, what, "Bolt|12|"+yes+"|"+run("1"), "Nut|∅|"+no+"|"+run("1"))
		want := []string{"Bolt, longer|9007199254740993|" + no + "|" + run("2"), "Gear|∅|∅|" + run("2"), "Nut|∅|" + no + "|" + run("1")}
		for _, again := range []sqltable.Rows{second, second, first} {
			if r := s.load(t, c, again); r.Created {
				t.Errorf("%+v", r)
			}
			s.expect(t, what, want...)
		}
		s.expect(t, "SELECT price FROM things WHERE title = 'Bolt, longer'", "1e-07")
		s.expect(t, "SELECT COUNT(*) FROM things WHERE shoal_key IS NULL OR shoal_id IS NULL OR shoal_task <> '7a5c' OR shoal_squid <> '5c1d'", "0")
	})
}

// TestTypes: the table that is made has the types of the fields.
func TestTypes(t *testing.T) {
	want := map[string][]string{
		"postgres": {"text", "text", "bigint", "double precision", "boolean", "jsonb", "text", "timestamp with time zone"},
		"mariadb":  {"longtext", "longtext", "bigint", "double", "tinyint", "longtext", "varchar", "datetime"},
		"sqlite":   {"TEXT", "TEXT", "INTEGER", "REAL", "BOOLEAN", "TEXT", "TEXT", "TEXT"},
	}
	each(t, func(t *testing.T, s *side) {
		s.load(t, s.config("things"), rows(result(1, "bolt", bolt)))
		query := `SELECT data_type FROM information_schema.columns WHERE table_name = 'things' AND table_schema = '%' AND column_name IN
			('url', 'title', 'stock', 'price', 'sold', 'tags', 'shoal_key', 'scraping_time') ORDER BY ordinal_position`
		switch s.name {
		case "postgres":
			query = strings.ReplaceAll(query, "'%'", "current_schema()")
		case "mariadb":
			query = strings.ReplaceAll(query, "'%'", "DATABASE()")
		default:
			query = `SELECT type FROM pragma_table_info('things') WHERE name NOT LIKE 'shoal_%' OR name = 'shoal_key'`
		}
		s.expect(t, query, want[s.name]...)
		times := map[string]string{
			"postgres": "SELECT to_char(scraping_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM things",
			"mariadb":  "SELECT CAST(scraping_time AS CHAR) FROM things",
			"sqlite":   "SELECT replace(scraping_time, 'T', ' ') FROM things",
		}
		s.expect(t, times[s.name], "2026-01-01 10:00:00.123456")
		inside := map[string]string{
			"postgres": "SELECT tags->1 ? 'b' FROM things", "mariadb": "SELECT JSON_EXISTS(tags, '$[1].b') FROM things",
			"sqlite": "SELECT json_type(tags, '$[1].b') = 'null' FROM things",
		}
		s.expect(t, inside[s.name], map[string]string{"postgres": "true", "mariadb": "1", "sqlite": "1"}[s.name])
	})
}

// TestInsert: every run's rows are added, and a repeat adds none.
func TestInsert(t *testing.T) {
	each(t, func(t *testing.T, s *side) {
		c := s.config("history", insert)
		first := rows(result(1, "bolt", bolt), result(1, "nut", nut))
		s.load(t, c, first)
		s.load(t, c, rows(result(2, "bolt", bolt2)))
		s.load(t, c, first)
		s.expect(t, "SELECT title FROM history ORDER BY scraping_time, title", "Bolt", "Nut", "Bolt, longer")
		// By a key of one's own, what is there stays as it is.
		c = s.config("firsts", insert, keyed("url"))
		s.load(t, c, first)
		s.load(t, c, rows(result(2, "bolt", bolt2), result(2, "gear", gear), result(2, "gear again", gear)))
		s.expect(t, "SELECT title FROM firsts ORDER BY title", "Bolt", "Gear", "Nut")
	})
}

// TestReplace: the table holds the run's rows and no others.
func TestReplace(t *testing.T) {
	each(t, func(t *testing.T, s *side) {
		for _, c := range []sqltable.Config{s.config("now", replace), s.config("keyed", replace, keyed("url"))} {
			s.load(t, c, rows(result(1, "bolt", bolt), result(1, "nut", nut)))
			for range 2 {
				s.load(t, c, rows(result(2, "bolt", bolt2), result(2, "gear", gear)))
				s.expect(t, "SELECT title FROM "+c.Table+" ORDER BY title", "Bolt, longer", "Gear")
			}
			s.load(t, c, rows())
			s.expect(t, "SELECT COUNT(*) FROM "+c.Table, "0")
		}
	})
}

// TestOwnKey: of rows with the same key the last counts, in one run as over
// several; keys differ when anything of them does.
func TestOwnKey(t *testing.T) {
	each(t, func(t *testing.T, s *side) {
		c := s.config("things", keyed("url"))
		s.load(t, c, rows(result(1, "1", `{"url":"a","title":"first"}`), result(1, "2", `{"url":"b","title":"other"}`), result(1, "3", `{"url":"a","title":"last"}`)))
		s.expect(t, "SELECT title FROM things ORDER BY url", "last", "other")
		s.load(t, c, rows(result(2, "9", `{"url":"b","title":"newer"}`)))
		s.expect(t, "SELECT title FROM things ORDER BY url", "last", "newer")
		s.load(t, c, rows(result(2, "1", `{"url":"A"}`), result(2, "2", `{"url":"a "}`), result(2, "3", `{"url":"\u00e4"}`), result(2, "4", `{"url":"a\u0308"}`)))
		s.expect(t, "SELECT COUNT(*) FROM things", "6")
		s.refuses(t, c, rows(result(3, "1", `{"url":null}`)), id(result(3, "1", "")), "url", "no value")
		s.refuses(t, s.config("things", keyed("link")), rows(), `"link"`, "url, title, stock")
		s.refuses(t, s.config("things", keyed("url"), func(c *sqltable.Config) { c.Omit = []string{"url"} }), rows(), `"url"`, "leave out")
		// Several fields, one of them a number.
		c = s.config("pairs", keyed("stock", "url"))
		s.load(t, c, rows(result(1, "1", `{"url":"a","stock":1}`), result(1, "2", `{"url":"a","stock":2}`), result(1, "3", `{"url":"a","stock":1,"title":"x"}`)))
		s.expect(t, "SELECT stock, title FROM pairs ORDER BY stock", "1|x", "2|∅")
	})
}

// TestManyRows crosses the borders of batches, and is one transaction: a reader
// in between sees the table as it was.
func TestManyRows(t *testing.T) {
	each(t, func(t *testing.T, s *side) {
		c := s.config("things")
		const n = 3210
		s.load(t, c, many(n, 1))
		s.expect(t, "SELECT COUNT(*), SUM(stock), COUNT(DISTINCT url) FROM things", "3210|5150445|3210") // n(n-1)/2
		seen := 0
		s.load(t, c, func(yield func(*shoal.Result, error) bool) {
			for r, err := range many(n, 2) {
				if seen++; seen == n && s.name != "sqlite" {
					s.expect(t, "SELECT COUNT(DISTINCT shoal_run), MAX(shoal_run) FROM things", "1|"+strings.Repeat("0", 31)+"1")
				}
				if !yield(r, err) {
					return
				}
			}
		})
		s.expect(t, "SELECT COUNT(*), COUNT(DISTINCT shoal_run), MAX(shoal_run) FROM things", "3210|1|"+strings.Repeat("0", 31)+"2")
	})
}
