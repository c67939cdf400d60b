#!/usr/bin/env bash
# Lists the packages that have tests and whose tests start no control plane. Derived from the
# imports, so that no list has to be kept.
set -euo pipefail

go list -test -f '{{with .ForTest}}{{.}} {{join $.Deps " "}}{{end}}' ./... |
  awk '
    { test[$1] = 1 }
    /(^| )[^ ]*\/test\/cluster( |$)/ { starts[$1] = 1 }
    END { for (name in test) if (!(name in starts)) print name }' |
  sort
