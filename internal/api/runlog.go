package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"shoal"
)

// runLog answers with all that happened to a run, newest first.
func (a *API) runLog(c *call) error { return c.history(a.store.RunLog) }

// runTimeline answers with the changes of a run's state, in their order.
func (a *API) runTimeline(c *call) error { return c.history(a.store.RunTimeline) }

func (c *call) history(list func(context.Context, shoal.WorkspaceID, shoal.RunID, shoal.Window) (shoal.Listing[shoal.Event], error)) error {
	run, err := id32[shoal.RunID](c, shoal.ErrRunNotFound)
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := list(c.ctx(), c.ws, run, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, appendEvent)
}

// appendEvent appends an entry of a run's history: its own members, those of
// its payload, and what it means in words.
func appendEvent(b []byte, e *shoal.Event) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, e.Seq, 10)
	b = append(b, `,"kind":`...)
	b = appendString(b, string(e.Kind))
	b = append(b, `,"at":`...)
	b = appendTimeOrNull(b, e.At)
	b = append(b, `,"actor":`...)
	b = appendStringOrNull(b, e.Actor)
	payload := bytes.TrimSpace(e.Payload)
	if len(payload) > 2 && payload[0] == '{' {
		b = append(b, ',')
		b = append(b, payload[1:len(payload)-1]...)
	}
	if words := eventWords(e); words != "" {
		b = append(b, `,"message":`...)
		b = appendString(b, words)
	}
	return append(b, '}')
}

// eventWords says in plain words what an entry means; empty: nothing needs
// saying, or the entry says it itself.
func eventWords(e *shoal.Event) string {
	switch e.Kind {
	case shoal.EventStatus:
		var p shoal.StatusPayload
		if json.Unmarshal(e.Payload, &p) == nil {
			return statusWords(e.Actor, &p)
		}
	case shoal.EventRequest:
		if !bytes.Contains(e.Payload, []byte(`"error"`)) && !bytes.Contains(e.Payload, []byte(`"attempt"`)) {
			return "" // most, and plain
		}
		var l shoal.RequestLog
		if json.Unmarshal(e.Payload, &l) == nil {
			return requestWords(&l)
		}
	}
	return ""
}

// statusWords says what a change of state means and who brought it about.
func statusWords(actor string, p *shoal.StatusPayload) string {
	by := map[string]string{"user": "a person", "engine": "Shoal itself", "schedule": "its schedule", "chain": "a chain"}[actor]
	if by == "" {
		by = actor
	}
	var head string
	switch p.Status {
	case shoal.RunPending:
		head = "Created by " + by
	case shoal.RunRunning:
		head = "Started by " + by
		if p.From == shoal.RunPaused {
			head = "Resumed by " + by
			if actor == "engine" {
				head = "Went on by itself: what it waited for is over"
			}
		}
	case shoal.RunPaused:
		head = "Paused by " + by
		switch {
		case p.From == "":
			head = "Still paused, for another reason"
		case p.From == shoal.RunPending && p.Reason != "":
			head = "It waits before it begins" // whoever started it wanted it to run
		}
	case shoal.RunUploading:
		head = "Collecting is over, the results are exported"
	case shoal.RunDone:
		head = "Done"
	case shoal.RunAborted:
		head = "Ended before its end"
	case shoal.RunError:
		head = "Ended with an error"
	}
	if p.Desc == "" {
		return head + "."
	}
	return head + ". " + p.Desc
}

// requestWords says what became of a request that did not simply succeed.
func requestWords(l *shoal.RequestLog) string {
	cause := strings.TrimRight(l.Error, ".")
	switch {
	case l.Error == "":
		return fmt.Sprintf("It succeeded at try %d.", l.Attempt)
	case l.Retry:
		return "It did not succeed and is tried again: " + cause + "."
	case l.Attempt > 1:
		return fmt.Sprintf("It was given up after %d tries: %s.", l.Attempt, cause)
	}
	return "It was given up: " + cause + "."
}
