// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// idleGrace is how long a connection without a request is left alone: the request may be on its way.
	idleGrace = time.Second
	// roomInterval is how often a connection that waits for room looks for one to close.
	roomInterval = 100 * time.Millisecond
)

// Connections is a listener that keeps at most a number of connections open. When there is no room for a new one, the
// one that has been without a request for the longest time is closed: connections cost nothing to open, and who holds
// many without using them must not keep others out. Those with a request are left to their time-outs.
type Connections struct {
	net.Listener
	clock  clock.WithTicker
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
	// perAddress is how many of the connections one address may have; more are closed at once, so that they keep nobody
	// waiting. 0 is any number: behind a proxy all have one address.
	perAddress int

	mu sync.Mutex
	// idle has the connections without a request, as idleConnection, the longest idle first.
	idle   *list.List
	byConn map[net.Conn]*list.Element

	// The lock of those by address is another one: closing a connection, which makeRoom does with the first held, takes
	// it.
	addresses sync.Mutex
	byAddr    map[netip.Addr]int
}

type idleConnection struct {
	conn  net.Conn
	since time.Time
}

// Limit keeps at most a number of connections of a listener open. The server has to tell Observe of its connections.
func Limit(listener net.Listener, most int, passing clock.WithTicker) *Connections {
	return &Connections{
		Listener: listener,
		clock:    passing,
		slots:    make(chan struct{}, most),
		closed:   make(chan struct{}),
		idle:     list.New(),
		byConn:   make(map[net.Conn]*list.Element),
		byAddr:   make(map[netip.Addr]int),
	}
}

// Accept waits for room and then for a connection.
func (c *Connections) Accept() (net.Conn, error) {
	if !c.awaitRoom() {
		return nil, net.ErrClosed
	}
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			<-c.slots
			return nil, err
		}
		address := addressOf(conn)
		if c.enter(address) {
			return &connection{Conn: conn, release: sync.OnceFunc(func() { c.leave(address) })}, nil
		}
		_ = conn.Close()
	}
}

// enter counts a connection of an address, unless it has as many as it may.
func (c *Connections) enter(address netip.Addr) bool {
	c.addresses.Lock()
	defer c.addresses.Unlock()
	if c.perAddress > 0 && c.byAddr[address] >= c.perAddress {
		return false
	}
	c.byAddr[address]++
	return true
}

// leave gives the slot of a connection back.
func (c *Connections) leave(address netip.Addr) {
	<-c.slots
	c.addresses.Lock()
	defer c.addresses.Unlock()
	if c.byAddr[address]--; c.byAddr[address] <= 0 {
		delete(c.byAddr, address)
	}
}

// awaitRoom takes a slot, or returns false once the listener is closed.
func (c *Connections) awaitRoom() bool {
	select {
	case c.slots <- struct{}{}:
		return true
	default:
	}
	look := c.clock.NewTicker(roomInterval)
	defer look.Stop()
	for {
		c.makeRoom()
		select {
		case c.slots <- struct{}{}:
			return true
		case <-c.closed:
			return false
		case <-look.C():
		}
	}
}

// makeRoom closes the connection that has been idle for the longest time, if that is long enough.
func (c *Connections) makeRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := c.idle.Front()
	if oldest == nil {
		return
	}
	if idle := oldest.Value.(idleConnection); c.clock.Since(idle.since) >= idleGrace {
		c.forget(idle.conn)
		_ = idle.conn.Close()
	}
}

// forget takes a connection off the idle ones. The caller holds the lock.
func (c *Connections) forget(conn net.Conn) {
	if element, ok := c.byConn[conn]; ok {
		c.idle.Remove(element)
		delete(c.byConn, conn)
	}
}

// Close stops accepting. Connections stay open.
func (c *Connections) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// Open returns how many connections are open, or about to be.
func (c *Connections) Open() int { return len(c.slots) }

// Observe is told by the HTTP server what becomes of its connections.
func (c *Connections) Observe(conn net.Conn, state http.ConnState) {
	if secured, ok := conn.(*tls.Conn); ok {
		// Closing the inner one does not wait for the other side.
		conn = secured.NetConn()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(conn)
	if state == http.StateNew || state == http.StateIdle {
		c.byConn[conn] = c.idle.PushBack(idleConnection{conn, c.clock.Now()})
	}
}

// connection gives its slot back when it is closed.
type connection struct {
	net.Conn
	release func()
}

// Close closes the connection, once or more often.
func (c *connection) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// addressOf returns the address at the other end; the zero value where it has none.
func addressOf(conn net.Conn) netip.Addr {
	return addressAt(conn.RemoteAddr().String())
}

func addressAt(text string) netip.Addr {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
