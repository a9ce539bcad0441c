package changes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"shoal"
)

// scratch makes a file without a name: it is gone when it is closed, however
// the process ends.
func scratch(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of scratch files: %w", err)
	}
	f, err := os.CreateTemp(dir, "changes-*")
	if err != nil {
		return nil, fmt.Errorf("make a scratch file: %w", full(err))
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make a scratch file: %w", err)
	}
	return f, nil
}

// full says of a full disk what it is.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", shoal.ErrStorageFull, err)
	}
	return err
}

// record is one row of a run: its key, where it is, and the number of its content.
type record struct {
	digest shoal.Digest
	key    int64
	hash   uint64
}

const recordSize = 16 + 8 + 8

func (r *record) append(b []byte) []byte {
	b = append(b, r.digest[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.key))
	return binary.BigEndian.AppendUint64(b, r.hash)
}

func readRecord(b []byte) record {
	return record{shoal.Digest(b[:16]), int64(binary.BigEndian.Uint64(b[16:])), binary.BigEndian.Uint64(b[24:])}
}

// blockSize is how many bytes of a part are written at a time.
const blockSize = 1 << 10 * recordSize

// parts are the rows of a run, divided by their digests into parts of which each
// fits memory. Within a part they have the order of their collection.
type parts struct {
	file    *os.File
	size    int64
	buffers [][]byte
	blocks  [][]block
}

// block is a piece of a part in the file.
type block struct{ at, size int64 }

func newParts(dir string, n int) (*parts, error) {
	f, err := scratch(dir)
	if err != nil {
		return nil, err
	}
	return &parts{file: f, buffers: make([][]byte, n), blocks: make([][]block, n)}, nil
}

// add enters a row.
func (p *parts) add(r *record) error {
	// The digest is a hash: its first bytes are spread evenly.
	n := int(uint64(binary.BigEndian.Uint32(r.digest[:4])) * uint64(len(p.buffers)) >> 32)
	p.buffers[n] = r.append(p.buffers[n])
	if len(p.buffers[n]) < blockSize {
		return nil
	}
	return p.flush(n)
}

func (p *parts) flush(n int) error {
	if len(p.buffers[n]) == 0 {
		return nil
	}
	if _, err := p.file.WriteAt(p.buffers[n], p.size); err != nil {
		return fmt.Errorf("write a scratch file: %w", full(err))
	}
	size := int64(len(p.buffers[n]))
	p.blocks[n] = append(p.blocks[n], block{p.size, size})
	p.size += size
	p.buffers[n] = p.buffers[n][:0]
	return nil
}

// read calls f with each row of a part.
func (p *parts) read(n int, f func(r record) error) error {
	if err := p.flush(n); err != nil {
		return err
	}
	p.buffers[n] = nil // the part is whole
	buf := make([]byte, blockSize+recordSize)
	for _, b := range p.blocks[n] {
		piece := buf[:b.size]
		if _, err := p.file.ReadAt(piece, b.at); err != nil {
			return fmt.Errorf("read a scratch file: %w", err)
		}
		for ; len(piece) > 0; piece = piece[recordSize:] {
			if err := f(readRecord(piece)); err != nil {
				return err
			}
		}
	}
	return nil
}

// pair is where a change is: the row's key in the newer run and in the older,
// 0 where it is not. order is the one of the two by which its list is sorted.
type pair struct{ after, before int64 }

func (p pair) order() int64 {
	if p.after != 0 {
		return p.after
	}
	return p.before
}

const pairSize = 16

// pairList is pairs in a file.
type pairList struct {
	file *os.File
	n    int64
	buf  []byte
	// starts are where the parts of the list begin that are sorted each for
	// itself, as numbers of pairs; none when the whole list is.
	starts []int64
}

func newList(dir string) (*pairList, error) {
	f, err := scratch(dir)
	if err != nil {
		return nil, err
	}
	return &pairList{file: f}, nil
}

func (l *pairList) add(p pair) error {
	l.buf = binary.BigEndian.AppendUint64(l.buf, uint64(p.after))
	l.buf = binary.BigEndian.AppendUint64(l.buf, uint64(p.before))
	l.n++
	if len(l.buf) < 64<<10 {
		return nil
	}
	return l.flush()
}

func (l *pairList) flush() error {
	at := l.n*pairSize - int64(len(l.buf))
	if _, err := l.file.WriteAt(l.buf, at); err != nil {
		return fmt.Errorf("write a scratch file: %w", full(err))
	}
	l.buf = l.buf[:0]
	return nil
}

// read returns at most limit pairs from the given one on.
func (l *pairList) read(from int64, limit int) ([]pair, error) {
	n := min(int64(limit), l.n-from)
	if n <= 0 {
		return nil, nil
	}
	b := make([]byte, n*pairSize)
	if _, err := l.file.ReadAt(b, from*pairSize); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read a scratch file: %w", err)
	}
	out := make([]pair, n)
	for i := range out {
		out[i] = pair{int64(binary.BigEndian.Uint64(b[i*pairSize:])), int64(binary.BigEndian.Uint64(b[i*pairSize+8:]))}
	}
	return out, nil
}

// mergeBuffer is how many pairs of each part are read at a time.
const mergeBuffer = 512

// sorted returns the list as a whole in order, and closes l if it is another one.
func (l *pairList) sorted(dir string) (*pairList, error) {
	if err := l.flush(); err != nil || len(l.starts) < 2 {
		return l, err
	}
	out, err := newList(dir)
	if err != nil {
		return l, err
	}
	type source struct {
		at, end int64
		pairs   []pair
	}
	var sources []*source
	for i, start := range l.starts {
		end := l.n
		if i+1 < len(l.starts) {
			end = l.starts[i+1]
		}
		if start < end {
			sources = append(sources, &source{at: start, end: end})
		}
	}
	for len(sources) > 0 {
		least := -1
		for i, s := range sources {
			if len(s.pairs) == 0 {
				if s.pairs, err = l.read(s.at, int(min(mergeBuffer, s.end-s.at))); err != nil {
					return l, errors.Join(err, out.close())
				}
				s.at += int64(len(s.pairs))
			}
			if least < 0 || s.pairs[0].order() < sources[least].pairs[0].order() {
				least = i
			}
		}
		s := sources[least]
		if err := out.add(s.pairs[0]); err != nil {
			return l, errors.Join(err, out.close())
		}
		if s.pairs = s.pairs[1:]; len(s.pairs) == 0 && s.at == s.end {
			sources = append(sources[:least], sources[least+1:]...)
		}
	}
	if err := out.flush(); err != nil {
		return l, errors.Join(err, out.close())
	}
	return out, l.close()
}

func (l *pairList) close() error { return l.file.Close() }
