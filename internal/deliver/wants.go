package deliver

import (
	"encoding/json"

	"shoal"
)

// ended are the events after which a run has no more to tell.
var ended = []shoal.RunEvent{shoal.EventRunDone, shoal.EventRunError, shoal.EventRunAborted}

// Wants returns the events that a channel with this config (JSON, opened) is
// told; none when it is switched off. A webhook chooses; the others are told
// when a run has ended.
func Wants(c shoal.Channel, config []byte) []shoal.RunEvent {
	var v struct {
		IsActive bool                    `json:"is_active"`
		Events   map[shoal.RunEvent]bool `json:"events"`
	}
	if err := json.Unmarshal(config, &v); err != nil || !v.IsActive {
		return nil
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
