// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// maxEventLabels is how many slugs the metrics tell apart, maxEventLabelsOfOne how many of those one institution may
	// bring, and eventLabelOfOthers what the rest count as.
	maxEventLabels      = 32
	maxEventLabelsOfOne = 16
	eventLabelOfOthers  = "other"
)

// eventLabels chooses the slugs that metrics are labelled with: the first that come, so that no sender can make any
// number of series. The zero one is ready for use.
type eventLabels struct {
	mu      sync.Mutex
	slugs   map[string]bool
	brought map[types.UID]int
}

// label returns what an event of an institution counts as.
func (l *eventLabels) label(slug string, institution types.UID) string {
	slug = strings.ToLower(slug)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slugs[slug] {
		return slug
	}
	if len(l.slugs) >= maxEventLabels || l.brought[institution] >= maxEventLabelsOfOne {
		return eventLabelOfOthers
	}
	if l.slugs == nil {
		l.slugs, l.brought = make(map[string]bool), make(map[types.UID]int)
	}
	l.slugs[slug] = true
	l.brought[institution]++
	return slug
}
