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
