package api

import (
	"time"

	"shoal"
)

// accountUse is one of an account's limits and how much of it is used.
type accountUse struct {
	Max       int64  `json:"max"`
	Value     int64  `json:"value"`
	Default   int64  `json:"default"`
	Timestamp *int64 `json:"timestamp"` // when it was last used, Unix seconds
}

// accountBatch is how far an account is in its batch.
type accountBatch struct {
	Max     int64 `json:"max"`
	Current int64 `json:"current"`
	Default int64 `json:"default"`
	LastAt  stamp `json:"last_batch_at"` // when a batch was last used up
}

// showUses are the account's limits by name, as they stand at now.
func showUses(t *shoal.AccountType, v *shoal.Account, now time.Time) map[string]any {
	out := map[string]any{}
	for name, l := range showLimits(t) {
		use := accountUse{Max: l.Default, Default: l.Default, Value: t.Used(v.Uses, name, now)}
		if set, ok := v.Params[name]; ok {
			use.Max = set
		}
		if at := v.Uses[name].At; !at.IsZero() {
			seconds := at.Unix()
			use.Timestamp = &seconds
		}
		out[name] = use
		if name == shoal.ParamBatch {
			done, _ := t.BatchState(v.Params, v.Batch, now)
			out[name] = accountBatch{Max: use.Max, Current: done, Default: use.Default, LastAt: stamp(v.Batch.At)}
		}
	}
	return out
}
