package deliver

import (
	"sync"

	"shoal"
)

// maxOwed bounds what is remembered of attempts that could not be recorded: no
// more than the workers can have under way while the database takes nothing.
const maxOwed = 1000

// owed are the outcomes of attempts that could not be recorded, because the
// disk was full or the database away. As long as the process lives they are
// recorded when the delivery is claimed again, and it is not sent a second time.
type owed struct {
	mu       sync.Mutex
	outcomes map[shoal.DeliveryID]owedOutcome
}

type owedOutcome struct {
	token   int64
	outcome shoal.DeliveryOutcome
}

// keep remembers the outcome of an attempt.
func (o *owed) keep(w *shoal.DeliveryWork, outcome shoal.DeliveryOutcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.outcomes == nil {
		o.outcomes = map[shoal.DeliveryID]owedOutcome{}
	}
	if len(o.outcomes) < maxOwed {
		o.outcomes[w.ID] = owedOutcome{w.Token, outcome}
	}
}

// take returns what the delivery is owed, and forgets it. It counts only if
// nobody has claimed the target since: another process may have sent it.
func (o *owed) take(w *shoal.DeliveryWork) (shoal.DeliveryOutcome, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was, ok := o.outcomes[w.ID]
	delete(o.outcomes, w.ID)
	return was.outcome, ok && was.token+1 == w.Token
}
