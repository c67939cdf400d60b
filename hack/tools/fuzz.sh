#!/usr/bin/env bash
# Runs every fuzz target of the product for FUZZTIME (10s), or only those whose name matches the first argument, a
# regular expression. Prints how many inputs each has tried. What makes one fail is kept in its testdata/fuzz folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz TARGET FOLDER: a target that a worker is busy with when its time is over fails with nothing but "context deadline
# exceeded", until Go 1.27 (https://go.dev/issue/75804). That says nothing of the target: it is run again.
fuzz() {
  for _ in 1 2 3; do
    if go test -run '^$' -fuzz "^$1\$" -fuzztime "${FUZZTIME:-10s}" -timeout 0 "$2" >"$log" 2>&1; then
      tail -n 30 "$log"
      return 0
    fi
    tail -n 30 "$log"
    grep -qx ' *context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log" || return 1
    echo "==> once more: the time was over while an input was tried"
  done
  return 1
}

failed=0
while IFS=: read -r file target; do
  target=${target#func }
  target=${target%%(*}
  [[ $target =~ ${1:-.} ]] || continue
  echo "==> $target (${file%/*})"
  fuzz "$target" "./${file%/*}" || failed=1
done < <(git grep -o --untracked '^func Fuzz[A-Za-z0-9_]*(' -- '*_test.go' ':!hack')
exit "$failed"
