package deliver

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shoal"
)

// news is an event in words, for mails and messages.
type news struct {
	title    string
	sentence string
	facts    []fact
}

type fact struct{ name, value string }

// verdicts say what became of a run.
var verdicts = map[shoal.RunEvent]string{
	shoal.EventRunRunning: "is running", shoal.EventRunPaused: "is paused", shoal.EventRunDone: "is done",
	shoal.EventRunError: "failed", shoal.EventRunAborted: "was aborted",
}

// tell puts an event into words.
func tell(d *shoal.Delivery) news {
	squid := clip(d.Payload.SquidName, 120)
	switch d.Event {
	case shoal.EventTest:
		return news{title: "Test of a delivery by Shoal", sentence: "This is a test. Deliveries of this kind arrive here."}
	case shoal.EventDeliveryPaused:
		return news{title: squid + ": deliveries are paused", sentence: clip(d.Payload.Desc, maxDetail) +
			". Nothing is lost: what comes after waits. Mend the cause, then resume the deliveries or set them anew.",
			facts: []fact{{"Squid", string(d.SquidID)}}}
	}
	n := news{title: squid + " " + verdicts[d.Event], sentence: clip(d.Payload.Desc, maxDetail)}
	if d.Event == shoal.EventRunDone || d.Event == shoal.EventRunAborted {
		n.title += ": " + plural(d.Payload.Unique, "result")
	}
	n.facts = []fact{{"Results", grouped(d.Payload.Unique)}}
	if d.Payload.Results != d.Payload.Unique {
		n.facts = append(n.facts, fact{"Found, with repeats", grouped(d.Payload.Results)})
	}
	if d.Payload.Reason != "" {
		n.facts = append(n.facts, fact{"Reason", string(d.Payload.Reason)})
	}
	n.facts = append(n.facts, fact{"Duration", spell(d.Payload.Seconds)}, fact{"When", d.CreatedAt.UTC().Format("2006-01-02 15:04:05") + " UTC"}, fact{"Run", string(d.RunID)})
	return n
}

// spell writes seconds as people say them: 1h 2m 3s.
func spell(seconds float64) string {
	d := (time.Duration(seconds * float64(time.Second))).Round(time.Second)
	if d < time.Second {
		return "under a second"
	}
	return strings.NewReplacer("h", "h ", "m", "m ").Replace(d.String())
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped writes a count with commas: 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Link returns an address where the results of a run can be had without a key,
// "" when the server does not know its own.
type Link func(ws shoal.WorkspaceID, run shoal.RunID) string

// of returns the link to what the delivery tells of, if there is something.
func (l Link) of(d *shoal.Delivery) string {
	if l == nil || !d.Payload.Exported || d.WorkspaceID == "" {
		return ""
	}
	return l(d.WorkspaceID, d.RunID)
}

// fileName is what a run's file is called where it is delivered.
//
// The end of the run's id keeps apart what ends in the same second: runs of
// squids whose names are alike, or have no letter that a file's name may have.
func fileName(d *shoal.Delivery, f shoal.Format) string {
	run := string(d.RunID)
	return fmt.Sprintf("%s-%s-%s.%s", slug(d.Payload.SquidName), d.CreatedAt.UTC().Format("20060102-150405"),
		run[max(0, len(run)-8):], cmp.Or(f, shoal.FormatCSV))
}

// slug keeps what every file system takes: letters, digits and dashes.
func slug(name string) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return ' '
	}, name)
	s = strings.Join(strings.Fields(s), "-")
	if s = s[:min(len(s), 60)]; s == "" {
		return "results"
	}
	return s
}
