package extract

import (
	"encoding/json"
	"fmt"
	"strings"

	"shoal"
	"shoal/internal/crawler"
)

// Expand fills in the templates of a request: its method, headers and body.
func Expand(m *crawler.Message, env *crawler.Env) (shoal.RequestExtra, error) {
	return expandMessage(m, env)
}

// AnswerEnv fills in what expressions read of an answer.
func AnswerEnv(env *crawler.Env, pg *Page) {
	env.URL, env.RequestURL, env.Status, env.MediaType = pg.URL, pg.RequestURL, pg.Status, pg.MediaType
	env.Bytes, env.Body = len(pg.Body), string(pg.Body)
	env.Header = make(map[string]string, len(pg.Header))
	for k, v := range pg.Header {
		env.Header[strings.ToLower(k)] = strings.Join(v, ", ")
	}
}

// Values reads the values of a page of a log-in or a health check: those that
// the answer has. The plan is of a crawler.Account's Reader.
func (pl *Plan) Values(page string, pg *Page) (map[string]any, error) {
	out, err := pl.Read(&Task{Params: map[string]any{}}, &shoal.Request{URL: pg.RequestURL, Page: page}, pg)
	if err != nil {
		return nil, err
	}
	if len(out.Rows) == 0 {
		return nil, nil // the page has none of them
	}
	values := map[string]any{}
	if err := json.Unmarshal(out.Rows[0].Data, &values); err != nil {
		return nil, fmt.Errorf("read a page's values: %w", err)
	}
	for name, v := range values {
		if v == nil {
			delete(values, name)
		}
	}
	return values, nil
}
