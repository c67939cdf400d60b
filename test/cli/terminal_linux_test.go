// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"os/exec"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// conversation is a command that somebody runs in a terminal.
type conversation struct {
	p        *person
	cmd      *exec.Cmd
	terminal *os.File
	out, err *buffer
}

// talk starts a command that has a terminal as its stdin, on which somebody can answer.
func (p *person) talk(args ...string) *conversation {
	p.t.Helper()
	g := NewWithT(p.t)
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	g.Expect(err).NotTo(HaveOccurred())
	p.t.Cleanup(func() { _ = terminal.Close() })
	g.Expect(unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0)).To(Succeed())
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	g.Expect(err).NotTo(HaveOccurred())
	stdin, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	g.Expect(err).NotTo(HaveOccurred())
	defer stdin.Close()
	c := &conversation{p: p, cmd: p.command(args...), terminal: terminal, out: &buffer{}, err: &buffer{}}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = stdin, c.out, c.err
	g.Expect(c.cmd.Start()).To(Succeed())
	return c
}

// asks waits until the command asks.
func (c *conversation) asks() {
	c.p.t.Helper()
	NewWithT(c.p.t).Eventually(c.err.String, soon, often).Should(ContainSubstring("[y/N]"))
}

// answer answers the question, and returns what came of it.
func (c *conversation) answer(text string) result {
	c.p.t.Helper()
	c.asks()
	_, err := c.terminal.WriteString(text + "\n")
	NewWithT(c.p.t).Expect(err).NotTo(HaveOccurred())
	_ = c.cmd.Wait()
	return result{c.out.String(), c.err.String(), c.cmd.ProcessState.ExitCode()}
}
