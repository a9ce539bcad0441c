package runs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"shoal"
	"shoal/internal/runs"
	"shoal/internal/store/storetest"
)

// A site that goes on for ever with rows that are known ends when so many
// pages in a row gave nothing new.
func TestNoNewRowsEndATask(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.source = strings.Replace(definition, `    follow:
      - {select: a, page: page}
    rows:
      key: url
      fields:
        url: {from: url}
        title: {select: title}
`, `    paginate: {page: {param: p}}
    stop: [{no_new_rows: 4}]
    rows: {each: li, key: title, fields: {title: {as: string}}}
`, 1)
		w.work(runs.Config{})
		var asked atomic.Int64
		site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/robots.txt" {
				http.NotFound(rw, r)
				return
			}
			asked.Add(1)
			n, _ := strconv.Atoi(r.URL.Query().Get("p"))
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(rw, "<li>item %d<li>item %d", n%7, (n*n+1)%7) // never twice the same page in a row
		}))
		t.Cleanup(site.Close)
		r := w.awaitStatus(w.start(w.squid(3, nil, site.URL+"/list")).ID, shoal.RunDone)
		if r.DoneReason != shoal.ReasonTasksDone || r.TasksDone != 1 || r.TasksFailed != 0 || r.UniqueResults != 7 {
			t.Errorf("%s, %d tasks done, %d failed, %d results", r.DoneReason, r.TasksDone, r.TasksFailed, r.UniqueResults)
		}
		if n := asked.Load(); n < 7 || n > 25 {
			t.Errorf("%d pages were asked for", n)
		}
		storetest.Check(t, w.Env, r.ID)
	})
}
