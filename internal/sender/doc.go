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

// Package sender behaves as the learning platform does: it posts completions of invented people, new, repeated,
// reordered, newer and wrong, and keeps a ledger of what the webhook server acknowledged, against which the cluster can
// be checked. `kubectl course send` and `import`, the demo, the benchmarks and the fault tests all send
// with it.
package sender
