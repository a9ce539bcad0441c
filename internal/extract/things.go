package extract

// thingPage is what a reader of things gets: a page, and its settings.
type thingPage struct {
	root    *node // nil: the answer is no HTML
	body    []byte
	res     *resolver // what the page's references are relative to
	url     string    // canonical
	options map[string]string
}

// things are the readers of what Shoal finds on pages of any site, by the
// names of crawler.Things. Each returns JSON objects.
var things = map[string]func(thingPage) [][]byte{}
