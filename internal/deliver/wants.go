package deliver

import (
	"encoding/json"

	"shoal"
	"shoal/internal/sqltable"
)

// ended are the events after which a run has no more to tell.
var ended = []shoal.RunEvent{shoal.EventRunDone, shoal.EventRunError, shoal.EventRunAborted}

// Wants returns the events that a channel with this config (JSON, opened) is
// told; none when it is switched off. A webhook chooses; the others are told
// when a run has ended; a table that holds the last run's rows alone, when one
// has ended well: a run that failed is not to empty it.
func Wants(c shoal.Channel, config []byte) []shoal.RunEvent {
	var v struct {
		IsActive bool                    `json:"is_active"`
		Mode     sqltable.Mode           `json:"mode"`
		Events   map[shoal.RunEvent]bool `json:"events"`
	}
	if err := json.Unmarshal(config, &v); err != nil || !v.IsActive {
		return nil
	}
	if c == shoal.ChannelDatabase && v.Mode == sqltable.Replace {
		return []shoal.RunEvent{shoal.EventRunDone}
	}
	if c != shoal.ChannelWebhook {
		return ended
	}
	var wanted []shoal.RunEvent
	for _, e := range shoal.RunEvents {
		if v.Events[e] {
			wanted = append(wanted, e)
		}
	}
	return wanted
}
