/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package webhookserver

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections is a listener that keeps at most a number of connections open. When there is no room for a new one, the
// one that has been without a request for the longest time is closed: connections cost nothing to open, and who holds
// many without using them must not keep others out. Those with a request are left to their time-outs.
type connections struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once

	mu sync.Mutex
	// idle has the connections without a request, the longest idle first.
	idle   *list.List
	byConn map[net.Conn]*list.Element
	// waiting tells that a new connection waits for room.
	waiting bool
}

func limitConnections(listener net.Listener, most int) *connections {
	return &connections{
		Listener: listener,
		slots:    make(chan struct{}, most),
		closed:   make(chan struct{}),
		idle:     list.New(),
		byConn:   make(map[net.Conn]*list.Element),
	}
}

// Accept waits for room and then for a connection.
func (c *connections) Accept() (net.Conn, error) {
	select {
	case c.slots <- struct{}{}:
	default:
		c.makeRoom()
		select {
		case c.slots <- struct{}{}:
			c.enough()
		case <-c.closed:
			return nil, net.ErrClosed
		}
	}
	conn, err := c.Listener.Accept()
	if err != nil {
		<-c.slots
		return nil, err
	}
	return &connection{Conn: conn, release: sync.OnceFunc(func() { <-c.slots })}, nil
}

// Close stops accepting. Connections stay open.
func (c *connections) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// open returns how many connections are open, or about to be.
func (c *connections) open() int { return len(c.slots) }

// makeRoom closes the connection that has been idle for the longest time, or the next one that becomes idle.
func (c *connections) makeRoom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if oldest := c.idle.Front(); oldest != nil {
		c.shed(oldest)
		return
	}
	c.waiting = true
}

func (c *connections) enough() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
}

// shed closes an idle connection. The caller holds the lock.
func (c *connections) shed(element *list.Element) {
	conn := element.Value.(net.Conn)
	c.idle.Remove(element)
	delete(c.byConn, conn)
	_ = conn.Close()
}

// observe is told by the HTTP server what becomes of its connections.
func (c *connections) observe(conn net.Conn, state http.ConnState) {
	if secured, ok := conn.(*tls.Conn); ok {
		// Closing the inner one does not wait for the other side.
		conn = secured.NetConn()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.byConn[conn]; ok {
		c.idle.Remove(element)
		delete(c.byConn, conn)
	}
	if state != http.StateNew && state != http.StateIdle {
		return
	}
	element := c.idle.PushBack(conn)
	c.byConn[conn] = element
	if c.waiting && state == http.StateIdle {
		c.waiting = false
		c.shed(element)
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
