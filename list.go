package shoal

// Window is one page of a list: Page from 1, Limit items.
type Window struct {
	Page  int
	Limit int
}

// Offset returns the number of items before the window.
func (w Window) Offset() int64 { return int64(w.Page-1) * int64(w.Limit) }

// Listing is one page of a list, with the length of the whole.
type Listing[T any] struct {
	Total int64
	Items []T
}
