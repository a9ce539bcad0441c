package jobs

import (
	"math/rand/v2"
	"time"

	"shoal"

	"github.com/riverqueue/river/rivertype"
)

// permanent holds the kinds of errors that another attempt cannot mend: the
// job is given up. Every other error is tried again.
var permanent = map[shoal.Kind]bool{
	shoal.KindInvalid:         true,
	shoal.KindBusiness:        true,
	shoal.KindUnauthenticated: true,
	shoal.KindForbidden:       true,
	shoal.KindNotFound:        true,
	shoal.KindTooLarge:        true,
	shoal.KindUnprocessable:   true,
}

// The wait before a retry doubles from the first to the longest.
const (
	firstBackoff   = time.Second
	longestBackoff = time.Minute
)

// backoff is River's retry policy: 1, 2, 4 … 60 s, lengthened by up to a tenth
// so that what failed together does not come back together. Beyond 5 s, the
// leader's 5 s tick adds to it.
type backoff struct{ now func() time.Time }

// NextRetry returns when the failed job is tried again. Only failures count,
// not the attempts that a crash or a stop cut short.
func (b backoff) NextRetry(job *rivertype.JobRow) time.Time {
	wait := firstBackoff
	for range len(job.Errors) {
		if wait *= 2; wait >= longestBackoff {
			wait = longestBackoff
			break
		}
	}
	return b.now().Add(wait + rand.N(wait/10))
}
