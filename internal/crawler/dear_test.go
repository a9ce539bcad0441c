package crawler

import "testing"

func TestDearSelector(t *testing.T) {
	for s, dear := range map[string]bool{
		`div`: false, `a b c d e > f ~ g`: false, `div:has(> a)`: false, `div:has(a b)`: false, `th:contains('UPC (x) y z') + td`: false,
		`a:not([href*="a b c"])`: false, `li:nth-child(2n + 1)`: false, `div:has( > a, b )`: false, `div:has(a, b, c)`: false, `a[title=":has( :has( :has("]`: false,
		`div:has(a):not(b c)`: false, `:has(a b):has(c d)`: false, `title:matches((?i)a b c (d e) f)`: false,
		`div:has(b:has(c))`: true, `div:has(a b c)`: true, `div:not(a b ~ c)`: true, `:not(:has(a:has(b)))`: true, `div:has(a ~ b c)`: true,
	} {
		if got := dearSelector(s) != ""; got != dear {
			t.Errorf("%s: dear %v (%s), want %v", s, got, dearSelector(s), dear)
		}
	}
}
