package store

import (
	"fmt"
	"os"
	"sort"
	"sync"
	"time"
)

var zzMu sync.Mutex
var zz = map[string]time.Duration{}
var zzN = map[string]int{}

func zzAdd(k string, t time.Time) {
	zzMu.Lock()
	zz[k] += time.Since(t)
	zzN[k]++
	zzMu.Unlock()
}
func ZZDump() {
	var ks []string
	for k := range zz {
		ks = append(ks, k)
	}
	sort.Slice(ks, func(i, j int) bool { return zz[ks[i]] > zz[ks[j]] })
	for _, k := range ks {
		if len(k) > 110 {
			fmt.Fprintf(os.Stderr, "%8.2fs %6d %q\n", zz[k].Seconds(), zzN[k], k[:110])
		} else {
			fmt.Fprintf(os.Stderr, "%8.2fs %6d %q\n", zz[k].Seconds(), zzN[k], k)
		}
	}
}
