#!/usr/bin/env bash
# Runs every fuzz target of the product for FUZZTIME (10s), or only those whose name matches the first argument, a
# regular expression. Prints how many inputs each has tried. What makes one fail is kept in its testdata/fuzz folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

failed=0
while IFS=: read -r file target; do
  target=${target#func }
  target=${target%%(*}
  [[ $target =~ ${1:-.} ]] || continue
  echo "==> $target (${file%/*})"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" -timeout 0 "./${file%/*}" | tail -n 30 || failed=1
done < <(git grep -o --untracked '^func Fuzz[A-Za-z0-9_]*(' -- '*_test.go' ':!hack')
exit "$failed"
