// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sender behaves as the learning platform does: it posts completions of invented people, new, repeated,
// reordered, newer and wrong, and keeps a ledger of what the webhook server acknowledged, against which the cluster can
// be checked. `kubectl course send` and `import`, the demo, the benchmarks and the fault tests all send
// with it.
package sender
