package crawler

import (
	"fmt"
	"slices"
	"strings"
)

// unknown says that name is no known thing of what and offers the nearest one.
func unknown(kind, name, what string, known []string) string {
	msg := fmt.Sprintf("unknown %s %q in %s", kind, clip(name, 60), what)
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("%s; did you mean %q?", msg, near)
	}
	if len(known) == 0 {
		return msg + "; there are none"
	}
	return fmt.Sprintf("%s; known: %s", msg, strings.Join(known, ", "))
}

// nearest returns the known name that name was probably meant to be, else "".
func nearest(name string, known []string) string {
	if len(name) > 64 {
		return ""
	}
	best, bestDistance := "", 1+max(1, len(name)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(name), k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best == "" && len(name) > 2 {
		if i := slices.IndexFunc(known, func(k string) bool { return strings.HasPrefix(k, name) }); i >= 0 {
			return known[i]
		}
	}
	return best
}

// distance is the number of letters to insert, remove, replace or swap to
// make b of a (optimal string alignment).
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
