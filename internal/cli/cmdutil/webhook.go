// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// Webhook are the flags of a command that posts to webhook URLs.
type Webhook struct {
	URLs []string
	File string
}

// AddFlags adds --url and --url-file.
func (w *Webhook) AddFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&w.URLs, "url", nil,
		"Webhook `URL`, including its token. Repeat it for several institutions or replicas.")
	cmd.Flags().StringVar(&w.File, "url-file", "",
		"`File` with one webhook URL per line, - for stdin. Keeps tokens out of the process list.")
}

// Given reports whether there is any URL.
func (w *Webhook) Given() bool { return len(w.URLs) > 0 || w.File != "" }

// Read returns the URLs by institution. Its errors hold none of them, since they hold tokens.
func (w *Webhook) Read(stdin io.Reader) ([]sender.Institution, error) {
	urls := w.URLs
	if w.File != "" {
		more, err := readLines(w.File, stdin)
		if err != nil {
			return nil, Usagef("--url-file: %w\nIt holds the webhook URL, which `kubectl course token add` shows", err)
		}
		urls = append(urls, more...)
	}
	if len(urls) == 0 {
		return nil, Usagef("no webhook URL: give --url or --url-file, see --help")
	}
	institutions, err := sender.ParseInstitutions(urls)
	if err != nil {
		return nil, Usagef("%w", err)
	}
	return institutions, nil
}

func readLines(path string, in io.Reader) ([]string, error) {
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	var found []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			found = append(found, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return found, nil
}
