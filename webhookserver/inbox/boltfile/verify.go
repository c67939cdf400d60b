// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
)

// bbolt trusts the file: where a page is damaged it panics in goroutines of its own or reads outside of its mapping,
// which nothing can catch. So the file is read here first, page by page and without mapping it, before bbolt sees it.
// What follows is bbolt's format version 2, in the byte order of the machine.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeaderBytes = 16
	elementBytes    = 16
	metaBytes       = 64
	bucketBytes     = 16

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageFreelist = 0x10

	leafIsBucket = 0x01
	noFreelist   = ^uint64(0)

	minPageSize = 512
	maxPageSize = 1 << 20
	// maxDepth is more than pages of branches can need; a deeper tree has a cycle.
	maxDepth = 64
)

var order = binary.NativeEndian

// boltMeta is the part of a meta page that leads to everything else.
type boltMeta struct {
	pageSize uint64
	root     uint64
	freelist uint64
	// pages is the number of pages that are or were in use; those after it are empty.
	pages uint64
	txid  uint64
}

// verifier walks through the pages of a file. Each is read once, so a damaged file cannot keep it busy for ever.
type verifier struct {
	file io.ReaderAt
	meta boltMeta
	seen []uint64
	// pages are used again: a walk has one page in its hands at each depth.
	pages [maxDepth + 1][]byte
	// visit gets each bucket by its path, without a key and with its sequence as eight big-endian bytes, and then each
	// key and value in it. They are valid during the call only.
	visit func(bucket, key, value []byte) error
}

// Verify reads the whole file. Every error but those of reading it wraps ErrCorrupt or ErrForeign.
func Verify(file *os.File, visit func(bucket, key, value []byte) error) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	meta, err := readMeta(file, info.Size())
	if err != nil {
		return err
	}
	if meta.pages > uint64(info.Size())/meta.pageSize {
		return fmt.Errorf("%w: truncated: %d bytes, but %d pages of %d bytes are in use",
			ErrCorrupt, info.Size(), meta.pages, meta.pageSize)
	}
	v := &verifier{file: file, meta: meta, seen: make([]uint64, (meta.pages+63)/64), visit: visit}
	if err := v.tree(meta.root, treePosition{last: new([]byte)}); err != nil {
		return err
	}
	return v.freelist()
}

// readMeta returns the newer of the two meta pages that are valid, as bbolt does.
func readMeta(file io.ReaderAt, size int64) (boltMeta, error) {
	var (
		best         boltMeta
		found, known bool
	)
	// The second meta page begins where the first one ends; where the first one is damaged, its size is not known.
	for at := int64(0); at < min(size, 2*maxPageSize); {
		var page [pageHeaderBytes + metaBytes]byte
		_, err := file.ReadAt(page[:], at)
		switch {
		case errors.Is(err, io.EOF):
			at = size
			continue
		case err != nil:
			return best, err
		}
		meta, ours, valid := parseMeta(page[pageHeaderBytes:])
		known = known || ours
		if valid && (!found || meta.txid > best.txid) {
			best, found = meta, true
		}
		switch {
		case at > 0 && (valid || found):
			return best, nil
		case at == 0 && valid:
			at = int64(meta.pageSize)
		default:
			at = max(2*at, minPageSize)
		}
	}
	switch {
	case found:
		return best, nil
	case known:
		return best, fmt.Errorf("%w: no valid meta page", ErrCorrupt)
	default:
		return best, fmt.Errorf("%w: not a bbolt file", ErrForeign)
	}
}

// parseMeta reads a meta page. It tells whether it is one of bbolt's, and whether it is whole.
func parseMeta(b []byte) (meta boltMeta, known, valid bool) {
	if order.Uint32(b) != boltMagic {
		return meta, false, false
	}
	meta = boltMeta{
		pageSize: uint64(order.Uint32(b[8:])), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]),
		pages: order.Uint64(b[40:]), txid: order.Uint64(b[48:]),
	}
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	valid = order.Uint32(b[4:]) == boltVersion && sum.Sum64() == order.Uint64(b[56:]) &&
		meta.pageSize >= minPageSize && meta.pageSize <= maxPageSize && meta.pageSize&(meta.pageSize-1) == 0
	return meta, true, valid
}

// read returns a page with all its overflow pages, and marks them.
func (v *verifier) read(id uint64, depth int) ([]byte, error) {
	if id < 2 || id >= v.meta.pages {
		return nil, fmt.Errorf("%w: page %d does not exist", ErrCorrupt, id)
	}
	var header [pageHeaderBytes]byte
	at := int64(id * v.meta.pageSize)
	if _, err := v.file.ReadAt(header[:], at); err != nil {
		return nil, err
	}
	count := 1 + uint64(order.Uint32(header[12:]))
	if order.Uint64(header[:]) != id || count > v.meta.pages-id {
		return nil, fmt.Errorf("%w: page %d has the header of page %d of %d", ErrCorrupt, id, order.Uint64(header[:]), count)
	}
	for p := id; p < id+count; p++ {
		if v.isSeen(p) {
			return nil, fmt.Errorf("%w: page %d is used twice", ErrCorrupt, p)
		}
		v.seen[p/64] |= 1 << (p % 64)
	}
	size := int(count * v.meta.pageSize)
	v.pages[depth] = slices.Grow(v.pages[depth][:0], size)[:size]
	page := v.pages[depth]
	if _, err := v.file.ReadAt(page, at); err != nil {
		return nil, err
	}
	return page, nil
}

func (v *verifier) isSeen(page uint64) bool { return v.seen[page/64]&(1<<(page%64)) != 0 }

// treePosition is where in the trees the walk is.
type treePosition struct {
	// bucket is the path of the bucket.
	bucket []byte
	depth  int
	// floor is what no key may be less than: the key under which the page above has this one.
	floor []byte
	// last is the key before this one in the bucket. Every key must be greater.
	last *[]byte
	page uint64
}

// tree walks through the pages of a bucket.
func (v *verifier) tree(id uint64, p treePosition) error {
	if p.depth > maxDepth {
		return fmt.Errorf("%w: pages are nested too deeply", ErrCorrupt)
	}
	page, err := v.read(id, p.depth)
	if err != nil {
		return err
	}
	p.page = id
	return v.elements(page, p)
}

// inOrder tells whether a key may follow the last one.
func (p treePosition) inOrder(key []byte) error {
	if len(key) == 0 || bytes.Compare(*p.last, key) >= 0 || bytes.Compare(p.floor, key) > 0 {
		return fmt.Errorf("%w: the keys of page %d are not in order", ErrCorrupt, p.page)
	}
	return nil
}

// elements looks at what a page of a tree, or a bucket that lies inside of its parent's page, has.
func (v *verifier) elements(page []byte, p treePosition) error {
	flags, count := order.Uint16(page[8:]), int(order.Uint16(page[10:]))
	if flags != pageBranch && flags != pageLeaf {
		return fmt.Errorf("%w: page %d is not part of a tree", ErrCorrupt, p.page)
	}
	if pageHeaderBytes+count*elementBytes > len(page) {
		return fmt.Errorf("%w: page %d has an impossible count of %d elements", ErrCorrupt, p.page, count)
	}
	for i := range count {
		at := pageHeaderBytes + i*elementBytes
		element := page[at : at+elementBytes]
		position, keySize, valueSize := uint64(order.Uint32(element)), uint64(order.Uint32(element[4:])), uint64(0)
		if flags == pageLeaf {
			position, keySize = keySize, uint64(order.Uint32(element[8:]))
			valueSize = uint64(order.Uint32(element[12:]))
		}
		start := uint64(at) + position
		if start+keySize+valueSize > uint64(len(page)) {
			return fmt.Errorf("%w: element %d of page %d is out of bounds", ErrCorrupt, i, p.page)
		}
		key, value := page[start:start+keySize], page[start+keySize:start+keySize+valueSize]
		if err := p.inOrder(key); err != nil {
			return err
		}
		var err error
		if flags == pageBranch {
			child := p
			child.depth, child.floor = p.depth+1, key
			err = v.tree(order.Uint64(element[8:]), child)
		} else {
			*p.last = append((*p.last)[:0], key...)
			err = v.leaf(order.Uint32(element), key, value, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf looks at one key with its value.
func (v *verifier) leaf(flags uint32, key, value []byte, p treePosition) error {
	if flags&^leafIsBucket != 0 {
		return fmt.Errorf("%w: a key in page %d has unknown flags", ErrCorrupt, p.page)
	}
	if flags&leafIsBucket == 0 {
		return v.visit(p.bucket, key, value)
	}
	if len(value) < bucketBytes {
		return fmt.Errorf("%w: a bucket in page %d is truncated", ErrCorrupt, p.page)
	}
	inner := treePosition{
		bucket: append(bytes.Clone(p.bucket), key...), depth: p.depth + 1, last: new([]byte), page: p.page,
	}
	sequence := binary.BigEndian.AppendUint64(nil, order.Uint64(value[8:]))
	if err := v.visit(inner.bucket, nil, sequence); err != nil {
		return err
	}
	if root := order.Uint64(value); root != 0 {
		return v.tree(root, inner)
	}
	inline := value[bucketBytes:]
	if inner.depth > maxDepth || len(inline) < pageHeaderBytes || order.Uint16(inline[8:]) != pageLeaf {
		return fmt.Errorf("%w: a bucket in page %d is truncated", ErrCorrupt, p.page)
	}
	return v.elements(inline, inner)
}

// freelist checks that no page is called free that is in use: bbolt would write over it.
func (v *verifier) freelist() error {
	if v.meta.freelist == noFreelist {
		return nil
	}
	page, err := v.read(v.meta.freelist, 0)
	if err != nil {
		return err
	}
	if order.Uint16(page[8:]) != pageFreelist {
		return fmt.Errorf("%w: page %d is not a freelist", ErrCorrupt, v.meta.freelist)
	}
	ids, count := page[pageHeaderBytes:], uint64(order.Uint16(page[10:]))
	if count == 0xFFFF {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return fmt.Errorf("%w: the freelist is truncated", ErrCorrupt)
	}
	for i := range count {
		if id := order.Uint64(ids[8*i:]); id < 2 || id >= v.meta.pages || v.isSeen(id) {
			return fmt.Errorf("%w: page %d is in the freelist and in use", ErrCorrupt, id)
		}
	}
	return nil
}
