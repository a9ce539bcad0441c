package runs

import (
	"fmt"
	"strings"
	"time"

	"shoal"
)

// class says what a reason does to a run.
type class int

const (
	ends  class = iota + 1 // reached by the tasks or the export themselves
	holds                  // pauses the run
	fails                  // ends the run as an error
	stops                  // ends the run as aborted
)

// reasons holds every done reason of the wire contract: what it does, and the
// sentence that stands in done_reason_desc when its cause brings none of its own.
var reasons = map[shoal.DoneReason]struct {
	class class
	desc  string
}{
	shoal.ReasonTasksDone:              {ends, "All tasks are done."},
	shoal.ReasonExportFix:              {ends, "The export that had failed was made again."},
	shoal.ReasonExportFailed:           {ends, "The results could not be exported. They are safe in the database; ask for the export again with POST /v1/runs/{run}/export."},
	shoal.ReasonAborted:                {stops, "Stopped by a person. What was collected until then is exported."},
	shoal.ReasonDeactivated:            {stops, "The squid or its crawler was switched off during the run. What was collected until then is exported."},
	shoal.ReasonNoCreditsLeft:          {holds, "The credits are used up. The run goes on when credits are granted or the period begins anew."},
	shoal.ReasonNoAccountAvailable:     {holds, "Every linked account is busy or cooling down. The run goes on when one is free."},
	shoal.ReasonCookiesExpired:         {holds, "The site shows a logged-out page: the account's cookies have expired. Synchronize the account and the run goes on."},
	shoal.ReasonWrongCredentials:       {holds, "The site refused the account's log-in. Correct its credentials and synchronize it; the run then goes on."},
	shoal.ReasonCheckpointReached:      {holds, "The site asks for a manual check of the account. Pass it in a browser and synchronize the account; the run then goes on."},
	shoal.ReasonOTPNeeded:              {holds, "The site asks for a one-time code. Synchronize the account with the code and the run goes on."},
	shoal.ReasonLimitExceeded:          {holds, "The account's daily limit is used up. The run goes on after the daily reset."},
	shoal.ReasonSlotsLimitExceeded:     {holds, "No slot of the plan is free. The run goes on when one is."},
	shoal.ReasonTooManyRequests:        {holds, "The site keeps answering that it gets too many requests. The run goes on by itself after a wait."},
	shoal.ReasonBatchWait:              {holds, "The account's batch is used up. The run goes on by itself after the batch's pause."},
	shoal.ReasonStorageFull:            {holds, "The data directory's disk has too little free space. Free some and the run goes on by itself."},
	shoal.ReasonRequestFailed:          {holds, "Too many tasks failed. They are tried again when the run goes on."},
	shoal.ReasonModuleMaintenance:      {holds, "The crawler is under maintenance. The run goes on when it is repaired."},
	shoal.ReasonAccountBlocked:         {holds, "The site has blocked the account. Unblock it there and synchronize it; the run then goes on."},
	shoal.ReasonLoggedOut:              {holds, "The site logged the account out. Synchronize the account and the run goes on."},
	shoal.ReasonChallengeRequired:      {holds, "The site asks the account to solve a challenge. Solve it in a browser and synchronize the account; the run then goes on."},
	shoal.ReasonAccountTooManyRequests: {holds, "The site slows this account down. The run goes on after its cool-down."},
	shoal.ReasonNoAccounts:             {fails, "The crawler needs an account and the squid has none linked. Link one and start again."},
	shoal.ReasonMaintenanceFeesNotPaid: {fails, "The private crawler's maintenance fee is not paid. Pay it and start again."},
	shoal.ReasonLastInvoiceNotPaid:     {fails, "An invoice is overdue. Pay it and start again."},
	shoal.ReasonWebsiteInaccessible:    {fails, "The website could not be reached for any task."},
	shoal.ReasonPremiumPlanNeeded:      {fails, "The crawler is premium and the plan does not include it. Change the plan and start again."},
}

// checkReason refuses an event whose reason it cannot have.
func checkReason(e Event) error {
	want := class(0)
	switch e.On {
	case OnHold:
		want = holds
	case OnFail:
		want = fails
	case OnAbort:
		if e.Reason == shoal.ReasonNone {
			return nil
		}
		want = stops
	default:
		if e.Reason == shoal.ReasonNone {
			return nil
		}
	}
	if want == 0 || reasons[e.Reason].class != want {
		return fmt.Errorf("the event %q cannot have the reason %q", e.On, e.Reason)
	}
	return nil
}

// descOr returns desc or, when it is empty, the reason's own sentence.
func descOr(reason shoal.DoneReason, desc string) string {
	if desc != "" {
		return desc
	}
	if reason == shoal.ReasonNone {
		return "Paused by a person. It goes on when a person resumes it."
	}
	return reasons[reason].desc
}

// short is the first sentence of the reason's own: what is the matter, without
// what a run that waits for it does.
func short(reason shoal.DoneReason) string {
	return firstSentence(reasons[reason].desc)
}

func firstSentence(text string) string {
	if text == "" {
		return ""
	}
	first, _, _ := strings.Cut(text, ". ")
	return strings.TrimRight(first, ".") + "."
}

func tasksDoneDesc(r *shoal.Run, last string) string {
	if r.TasksFailed == 0 {
		return ""
	}
	return failedDesc(r, last)
}

func requestFailedDesc(r *shoal.Run, last string) string {
	return failedDesc(r, last) + " They are tried again when the run goes on: by itself after a wait, or by a person's resume."
}

func inaccessibleDesc(r *shoal.Run, last string) string {
	if r.TasksTotal == 1 {
		return sentence("The website could not be reached", last)
	}
	return sentence(fmt.Sprintf("The website could not be reached for any of the %d tasks", r.TasksTotal), last)
}

func failedDesc(r *shoal.Run, last string) string {
	if r.TasksTotal == 1 {
		return sentence("The task failed", last)
	}
	return sentence(fmt.Sprintf("%d of %d tasks failed", r.TasksFailed, r.TasksTotal), last)
}

func expireDesc(desc string, limit time.Duration) string {
	return fmt.Sprintf("Ended because it was paused for more than %s; what was collected is exported. Why it was paused: %s", spell(limit), desc)
}

func exportFixDesc(r *shoal.Run) string {
	if r.OutcomeDesc == "" || r.OutcomeReason == shoal.ReasonTasksDone {
		return descOr(shoal.ReasonExportFix, "")
	}
	return descOr(shoal.ReasonExportFix, "") + " " + r.OutcomeDesc
}

// sentence joins head and cause into one sentence that ends with a full stop.
func sentence(head, cause string) string {
	if cause == "" {
		return head + "."
	}
	return head + ": " + strings.TrimRight(cause, ".") + "."
}

// spell writes a long duration as people say it.
func spell(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d < u.unit {
			continue
		}
		n := int64(d / u.unit)
		if n == 1 {
			return "1 " + u.name
		}
		return fmt.Sprintf("%d %ss", n, u.name)
	}
	return d.String()
}

// refusal says why e is refused and what would be right.
func refusal(r *shoal.Run, e Event) string {
	state := map[shoal.RunStatus]string{
		shoal.RunPending:   "has not started yet",
		shoal.RunRunning:   "is running",
		shoal.RunPaused:    "is paused",
		shoal.RunUploading: "has finished collecting and is exporting",
		shoal.RunDone:      "has ended",
		shoal.RunAborted:   "was aborted",
		shoal.RunError:     "has ended with an error",
	}[r.Status]
	switch {
	case e.On == OnPause && r.Status == shoal.RunPaused:
		return "The run is paused already."
	case e.On == OnResume && r.Status == shoal.RunRunning:
		return "The run is running already."
	case e.On == OnPause:
		return "The run " + state + "; only a pending or running one can be paused."
	case e.On == OnResume:
		return "The run " + state + "; only a paused one can be resumed."
	case e.On == OnWake && r.Status == shoal.RunPaused:
		return "The run was paused by a person; only a person can resume it."
	case e.On == OnExportAsked:
		return "The run " + state + "; its results can be exported again once it has ended."
	case e.On == OnTasksEnded && r.Status == shoal.RunRunning:
		return fmt.Sprintf("The run has %d tasks left to do.", r.TasksTotal-r.TasksDone)
	}
	return fmt.Sprintf("The run %s, which does not go with the event %q.", state, e.On)
}
