package extract

import "testing"

func TestTempting(t *testing.T) {
	for url, want := range map[string]bool{
		"https://h/":                               false,
		"https://h/a/b.html?page=2":                false,
		"https://h/p/?replytocom=12":               true,
		"https://h/list?sort=price":                true,
		"https://h/list?color=red&order_by=a":      true,
		"https://h/list?sort=":                     false,
		"https://h/?view=article&id=3":             false,
		"https://h/t?id=3&view=print":              true,
		"https://h/p?share=Twitter":                true,
		"https://h/p?share=1234":                   false,
		"https://h/login?next=%2Fhome":             true,
		"https://h/list?next=20":                   false,
		"https://h/w?title=X&action=edit":          true,
		"https://h/w?title=X&action=view":          false,
		"https://h/cal?month=2024-05":              true,
		"https://h/cal?month=may":                  false,
		"https://h/events/2024/05/":                true,
		"https://h/events/2024/05/12":              true,
		"https://h/events/2024/05/12/regatta":      false,
		"https://h/events/2024/regatta-2024":       false,
		"https://h/blog/2024/05/":                  false,
		"https://h/calendar/month/2024-05/":        true,
		"https://h/(S(abcdefghijklmnopqrstuvwx))/": true,
		"https://h/wiki/Foo_(disambiguation)/":     false,
		"https://h":                                false,
	} {
		if got := tempting(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func BenchmarkTempting(b *testing.B) {
	for b.Loop() {
		tempting("https://example.com/shop/articles/a-longer-name-of-a-page-2024?page=2&lang=en&category=tools")
	}
}
