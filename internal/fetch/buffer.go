package fetch

import (
	"errors"
	"io"
	"math/bits"
	"sync"
)

// Buffers come in sizes of powers of two, each size with its own pool, so that a
// small page never holds a large one's memory. Beyond the largest they have the
// size that is asked for and are left to the garbage collector: few pages are so
// large, and what a pool keeps of them would be the process's largest part.
const (
	minBits = 12 // 4 KiB
	maxBits = 18 // 256 KiB
)

var pools [maxBits - minBits + 1]sync.Pool

// buffer holds a body. Its methods accept nil, an empty body.
type buffer struct{ b []byte }

// newBuffer gives an empty buffer with room for n bytes.
func newBuffer(n int) *buffer {
	size := max(bits.Len(uint(max(n, 1)-1)), minBits)
	if size > maxBits {
		return &buffer{make([]byte, 0, n)}
	}
	if b, ok := pools[size-minBits].Get().(*buffer); ok {
		return b
	}
	return &buffer{make([]byte, 0, 1<<size)}
}

// release gives the memory to the pool.
func (b *buffer) release() {
	if b == nil {
		return
	}
	size := bits.Len(uint(cap(b.b))) - 1
	if size < minBits || size > maxBits || cap(b.b) != 1<<size {
		return
	}
	b.b = b.b[:0]
	pools[size-minBits].Put(b)
}

func (b *buffer) bytes() []byte {
	if b == nil {
		return nil
	}
	return b.b
}

// grow doubles the room, or makes as much as is expected where that is not far.
func (b *buffer) grow(expected int) {
	room := 2 * cap(b.b)
	if expected > cap(b.b) && expected < 2*room {
		room = expected
	}
	larger := newBuffer(room)
	larger.b = append(larger.b, b.b...)
	// The old memory goes back under the other's shell.
	b.b, larger.b = larger.b, b.b
	larger.release()
}

var errTooLarge = errors.New("larger than allowed")

// fill reads to the end, or gives errTooLarge once there are more than limit
// bytes; the buffer then holds the first limit. expected is how many bytes are
// said to come, 0 if nothing was said.
func (b *buffer) fill(r io.Reader, limit, expected int64) error {
	for idle := 0; ; {
		if len(b.b) == cap(b.b) {
			b.grow(int(min(expected, limit)) + 1) // one more, to meet the end
		}
		n, err := r.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		if int64(len(b.b)) > limit {
			b.b = b.b[:limit]
			return errTooLarge
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return io.ErrNoProgress
		}
	}
}
