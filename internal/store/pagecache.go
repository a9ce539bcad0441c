package store

import (
	"sync"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// pageSlots is how many pages of the data file SQLite keeps in memory, over all
// connections: 2.2 MB. The operating system's cache stands behind it, and the
// page commit is no slower than with four times as many or with 24 MB.
const pageSlots = 512

// reservePages gives SQLite the memory of its page cache, before the process's
// first connection. Left to itself SQLite asks for each page and its header,
// 4,368 bytes, one by one, and is given 8,192: each page would cost two, and
// the cache could grow to the sum of all connections' sizes. It goes beyond the
// slots only for pages that it holds on to at once.
//
// SQLite refuses when it has been used before; then its cache is as it was.
var reservePages = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	args := libc.Xcalloc(tls, 4, 8)
	if args == 0 {
		return
	}
	defer libc.Xfree(tls, args)
	header := args + 24 // behind the three arguments
	if sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PCACHE_HDRSZ, libc.VaList(args, header)) != sqlite3.SQLITE_OK {
		return
	}
	size := (pageSize + libc.AtomicLoadPInt32(header) + 7) &^ 7
	// SQLite's for as long as the process lives.
	slots := libc.Xmalloc(tls, libc.Tsize_t(size)*pageSlots)
	if slots == 0 {
		return
	}
	if sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PAGECACHE, libc.VaList(args, slots, size, int32(pageSlots))) != sqlite3.SQLITE_OK {
		libc.Xfree(tls, slots)
	}
})
