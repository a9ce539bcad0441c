//go:build !(linux || darwin || freebsd)

package runs

import "math"

// FreeBytes does not know the free space of this system's disks; a full one is
// noticed when a commit fails.
func FreeBytes(string) (int64, error) { return math.MaxInt64, nil }
