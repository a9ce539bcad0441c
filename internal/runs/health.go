package runs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"shoal"
	"shoal/internal/export"
)

const (
	// healthRuns is how many of a squid's former runs one is held against.
	healthRuns = 5
	// collapse is what is left of a figure that has collapsed: less than half.
	collapse = 0.5
	// leastRows is how many rows a figure needs behind it to mean anything, and
	// leastFill in what share of them a field must have had a value.
	leastRows, leastFill = 10, 0.2
	// newNormal is after how many warnings in a row the site has changed for good.
	newNormal = 3
	// namedFields is how many fields a warning names at most.
	namedFields = 3
)

// healthOf returns how complete the results of a run are that has collected
// all it could; nil: it was cut short, and says nothing about the site.
func healthOf(r *shoal.Run, fill *export.Fill) *shoal.Health {
	if r.Outcome != shoal.RunDone || r.OutcomeReason != shoal.ReasonTasksDone || r.Settings.MaxUniqueResults > 0 && r.UniqueResults >= r.Settings.MaxUniqueResults {
		return nil
	}
	return &shoal.Health{Run: r.ID, Tasks: r.TasksDone - r.TasksFailed, Results: r.UniqueResults,
		Rows: fill.Rows, Fields: fill.Fields, Settings: settingsDigest(&r.Settings)}
}

// settingsDigest tells settings apart that let a run collect more or less.
func settingsDigest(s *shoal.RunSettings) string {
	text, err := json.Marshal(shoal.RunSettings{CrawlerSlug: s.CrawlerSlug, Params: s.Params, Functions: s.Functions,
		MaxResults: s.MaxResults, MaxUniqueResults: s.MaxUniqueResults, MaxRequests: s.MaxRequests,
		MaxRunRequests: s.MaxRunRequests, MaxBytes: s.MaxBytes, MaxDuration: s.MaxDuration})
	if err != nil {
		return "" // as all that cannot be told apart
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// warnOf holds h against the squid's former runs, newest first, and returns
// what has collapsed; empty: nothing. Former runs that were warned about do not
// count, until there are so many in a row that they are what is to be expected.
func warnOf(h *shoal.Health, former []shoal.Health) string {
	base := healthy(former)
	if len(base) == 0 {
		return ""
	}
	var lost []string
	if s := lostRows(h, base); s != "" {
		lost = append(lost, s)
	}
	lost = append(lost, lostFields(h, base)...)
	if len(lost) == 0 {
		return ""
	}
	return "The results look incomplete: " + strings.Join(lost, "; ") +
		". The site may have changed; look at some results, and mend or update the crawler."
}

func healthy(former []shoal.Health) []shoal.Health {
	warned := func(h shoal.Health) bool { return h.Warning != "" }
	if len(former) >= newNormal && !slices.ContainsFunc(former[:newNormal], func(h shoal.Health) bool { return !warned(h) }) {
		return former[:newNormal]
	}
	base := slices.DeleteFunc(slices.Clone(former), warned)
	return base[:min(len(base), healthRuns)]
}

// lostRows compares the rows per task with those of runs with the same settings.
func lostRows(h *shoal.Health, base []shoal.Health) string {
	var rates []float64
	for _, b := range base {
		if b.Settings == h.Settings && b.Tasks > 0 && b.Results >= leastRows {
			rates = append(rates, float64(b.Results)/float64(b.Tasks))
		}
	}
	if len(rates) == 0 || h.Tasks == 0 {
		return ""
	}
	was, is := median(rates), float64(h.Results)/float64(h.Tasks)
	if is >= collapse*was {
		return ""
	}
	return fmt.Sprintf("%s, where %s gave about %.0f", count(h.Results, "result"), before(len(rates)), was*float64(h.Tasks))
}

// lostFields names the fields that far fewer rows fill than before, the worst first.
func lostFields(h *shoal.Health, base []shoal.Health) []string {
	if h.Rows < leastRows {
		return nil
	}
	type loss struct {
		was, is float64
		text    string
	}
	var losses []loss
	for name, n := range h.Fields {
		var rates []float64
		for _, b := range base {
			if filled, known := b.Fields[name]; known && b.Rows >= leastRows {
				rates = append(rates, float64(filled)/float64(b.Rows))
			}
		}
		if len(rates) == 0 {
			continue
		}
		was, is := median(rates), float64(n)/float64(h.Rows)
		if was >= leastFill && is < collapse*was {
			losses = append(losses, loss{was, is, fmt.Sprintf("%s is filled in %.0f %% of the rows, in %s it was %.0f %%", name, 100*is, before(len(rates)), 100*was)})
		}
	}
	slices.SortFunc(losses, func(a, b loss) int {
		if a.was-a.is != b.was-b.is {
			if a.was-a.is > b.was-b.is {
				return -1
			}
			return 1
		}
		return strings.Compare(a.text, b.text)
	})
	var out []string
	for i, l := range losses {
		if i == namedFields {
			out = append(out, fmt.Sprintf("%d more fields likewise", len(losses)-i))
			break
		}
		out = append(out, l.text)
	}
	return out
}

func median(v []float64) float64 {
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func before(runs int) string {
	if runs == 1 {
		return "the run before"
	}
	return fmt.Sprintf("the %d runs before", runs)
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// judge holds the results of a run against those of its squid's former runs,
// records the verdict and returns it. A repeat gives the same.
func (s *Service) judge(ctx context.Context, r *shoal.Run, fill *export.Fill) (string, error) {
	h := healthOf(r, fill)
	if h == nil {
		return "", nil
	}
	former, err := s.store.HealthBefore(ctx, r.ID, newNormal+healthRuns)
	if err != nil {
		return "", err
	}
	h.Warning = warnOf(h, former)
	if err := s.store.SaveHealth(ctx, *h); err != nil {
		return "", err
	}
	return h.Warning, nil
}
