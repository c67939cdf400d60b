// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

var (
	// A heading of Keep a Changelog: ## [0.1.0] - 2026-12-01, or ## [Unreleased].
	section = regexp.MustCompile(`(?m)^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?[ \t]*$`)
	// A link to a file of the repository. In a release it would lead nowhere.
	relativeLink = regexp.MustCompile(`\]\(([\w][\w./-]*(?:#[\w-]+)?)\)`)
	// What the links of headings point at; stands at the end of the changelog.
	linkTarget = regexp.MustCompile(`(?m)^\[[^\]]+\]: .*\n?`)
	finalTag   = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)
)

func runNotes(args []string, _ io.Reader, out io.Writer) error {
	flags, parse := flagSet("notes")
	version := flags.String("version", "", "the version of the release, such as v0.1.0")
	changelog := flags.String("changelog", "CHANGELOG.md", "the changelog")
	image := flags.String("image", "", "the image, with its digest")
	if err := parse(args, "version"); err != nil {
		return err
	}
	text, err := os.ReadFile(*changelog)
	if err != nil {
		return err
	}
	notes, err := releaseNotes(string(text), *version)
	if err != nil {
		return fmt.Errorf("%s: %w", *changelog, err)
	}
	if *image != "" {
		notes += fmt.Sprintf("\n## Image\n\n    %s\n\n[How to verify it](%s/blob/%s/docs/releasing.md#verify-a-release)\n",
			*image, project, *version)
	}
	_, err = io.WriteString(out, notes)
	return err
}

// releaseNotes returns what the changelog says of a version. A release has to have a section of its own with a date;
// what comes before a release (v0.2.0-rc.1, or a commit) may go by what is unreleased.
func releaseNotes(changelog, version string) (string, error) {
	changelog = linkTarget.ReplaceAllString(changelog, "")
	wanted := strings.TrimPrefix(version, "v")
	final := finalTag.MatchString(version)
	notes, date, found := sectionOf(changelog, wanted)
	if !found && !final {
		wanted = "Unreleased"
		notes, _, found = sectionOf(changelog, wanted)
	}
	switch {
	case !found:
		return "", fmt.Errorf("no section [%s]: rename [Unreleased] to it, with the date", wanted)
	case final && date == "":
		return "", fmt.Errorf("the section [%s] has no date: write ## [%s] - YYYY-MM-DD", wanted, wanted)
	case notes == "":
		return "", fmt.Errorf("the section [%s] is empty", wanted)
	}
	return relativeLink.ReplaceAllString(notes, "]("+project+"/blob/"+version+"/$1)") + "\n", nil
}

// sectionOf returns the text below a heading, up to the next one.
func sectionOf(changelog, name string) (text, date string, found bool) {
	headings := section.FindAllStringSubmatchIndex(changelog, -1)
	for i, at := range headings {
		if changelog[at[2]:at[3]] != name {
			continue
		}
		end := len(changelog)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		if at[4] >= 0 {
			date = changelog[at[4]:at[5]]
		}
		return strings.TrimSpace(changelog[at[1]:end]), date, true
	}
	return "", "", false
}
