#!/usr/bin/env bash
# Runs a command as on a slow machine, for go test -exec: on the first SLOW_CORES cores alone, if that is set, and while
# SLOW_BURNERS processes keep the cores busy.
set -euo pipefail

# A burner ends with this script, however that ends.
for ((n = 0; n < ${SLOW_BURNERS:-0}; n++)); do
  while kill -0 $$ 2>/dev/null; do :; done &
done

pin=()
if [ -n "${SLOW_CORES:-}" ]; then
  pin=(taskset --cpu-list "0-$((SLOW_CORES - 1))")
  export GOMAXPROCS=$SLOW_CORES
fi
code=0
${pin[@]+"${pin[@]}"} "$@" || code=$?
kill $(jobs -p) 2>/dev/null || true
exit $code
