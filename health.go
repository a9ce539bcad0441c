package shoal

// Health says how complete the results of a run were.
type Health struct {
	Run     RunID
	Tasks   int64 // tasks that ended well
	Results int64 // stored
	Rows    int64 // exported: those in which Fields were counted
	// Fields says how many of Rows have a value, by field.
	Fields map[string]int64
	// Settings is a digest of the settings that decide how much a run collects.
	Settings string
	// Warning is what is wrong against the runs before, a sentence; empty: nothing.
	Warning string
}
