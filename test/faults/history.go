// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// historyTimeout bounds how long one history is looked at. A completion has some ten deliveries, so it is never needed.
const historyTimeout = 30 * time.Second

// question is what was asked about a completion: to take a delivery, or what is stored.
type question struct {
	read bool
	key  order.Key
}

// reply is what was answered: the outcome of a delivery, empty where that came later or nobody knows whether it did, or
// what is stored.
type reply struct {
	outcome string
	key     order.Key
}

// intake says how a single server would behave that took one delivery of a completion after the other: it keeps the
// greatest, and says what came of each. Its state is the key of what is stored, the zero one of nothing.
var intake = porcupine.Model{
	Init: func() any { return order.Key{} },
	Step: func(state, input, output any) (bool, any) {
		stored, in, out := state.(order.Key), input.(question), output.(reply)
		if in.read {
			return out.key == stored, stored
		}
		nothing, compared := stored == order.Key{}, order.Compare(in.key, stored)
		greatest := stored
		if compared > 0 {
			greatest = in.key
		}
		switch out.outcome {
		case "":
			return true, greatest
		case "created":
			return nothing, greatest
		case "updated":
			return !nothing && compared > 0, greatest
		case "duplicate":
			return compared == 0, stored
		case "stale":
			return compared < 0, stored
		}
		return false, stored
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(input, output any) string {
		in, out := input.(question), output.(reply)
		if in.read {
			return "is stored as of " + out.key.SendAt
		}
		return fmt.Sprintf("sendAt %s: %q", in.key.SendAt, out.outcome)
	},
}

// checkHistory tells whether the answers to what was sent about a completion, and what was read of it in the end, are
// those of a single server. What is queued is stored at any time before the end is read; what got no answer, or was put
// off, at any time or never.
func checkHistory(offers []sender.Offer, stored order.Key, readFrom, readUntil time.Time) error {
	base := readFrom
	if len(offers) > 0 {
		base = offers[0].Sent
	}
	at := func(t time.Time) int64 { return int64(t.Sub(base)) }
	history := []porcupine.Operation{{
		Input: question{read: true}, Call: at(readFrom), Output: reply{key: stored}, Return: at(readUntil),
	}}
	for n, offer := range offers {
		operation := porcupine.Operation{ClientId: n + 1, Input: question{key: offer.Key}, Call: at(offer.Sent)}
		switch {
		case offer.Verdict != sender.VerdictAcknowledged:
			operation.Output, operation.Return = reply{}, math.MaxInt64
		case offer.Outcome == "queued":
			operation.Output, operation.Return = reply{}, at(readFrom)-1
		default:
			operation.Output, operation.Return = reply{outcome: offer.Outcome}, at(offer.Answered)
		}
		history = append(history, operation)
	}
	result := porcupine.CheckOperationsTimeout(intake, history, historyTimeout)
	if result == porcupine.Ok {
		return nil
	}
	var lines []string
	for _, o := range history {
		lines = append(lines, fmt.Sprintf("  from %s to %s: %s", time.Duration(o.Call), time.Duration(o.Return),
			intake.DescribeOperation(o.Input, o.Output)))
	}
	return fmt.Errorf("no single server would have answered so (%s):\n%s", result, strings.Join(lines, "\n"))
}
