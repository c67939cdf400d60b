#!/usr/bin/env bash
# Checks what is generated or kept by a tool, changes nothing in the checkout, and names every fault at once:
#   - generated files are what the generators would write now (written into a copy and compared),
#   - Go files are formatted, and their identifiers use the words of docs/glossary.md,
#   - the go.mod and go.sum of each module are tidy,
#   - each kustomization under config/ builds,
#   - workflows are right as far as can be told without running them, begin without permissions, and pin actions.
# Reads ACTIONLINT and KUSTOMIZE (the programs) and MODULES (the folders with a go.mod).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

: "${ACTIONLINT:?run this by make verify}" "${KUSTOMIZE:?run this by make verify}" "${MODULES:?run this by make verify}"
failed=0

fault() {
  echo "    FAULT: $*" >&2
  failed=1
}

# Tracked files and those that would be tracked, without the ones that were deleted.
sources() {
  git ls-files -z --cached --others --exclude-standard -- "$@" | while IFS= read -r -d '' file; do
    if [[ -e $file ]]; then printf '%s\0' "$file"; fi
  done
}

verify_generated() {
  echo "==> generated files"
  local copy
  copy=$(mktemp -d)
  # Expanded now: the name is local.
  # shellcheck disable=SC2064
  trap "rm -rf '$copy'" EXIT
  mkdir "$copy/before"
  sources | tar --create --null --files-from=- | tar --extract --directory="$copy/before"
  # Nothing of the generated files goes along, so that one which is generated no more is found as well.
  cp -a "$copy/before" "$copy/after"
  # The tools are those of the checkout, already built: make must not build them again in the copy.
  ln -s "$PWD/bin" "$copy/after/bin"
  find "$copy/after/api" -name 'zz_generated.*.go' -delete
  rm -rf "$copy/after/config/crd/bases" "$copy/after/docs/api-reference.md" "$copy/after/docs/cli" "$copy/after/docs/metrics.md" \
    "$copy"/after/config/components/grafana/*.json
  if ! make --no-print-directory -C "$copy/after" generate manifests docs-api docs-cli docs-metrics \
    dashboards; then
    fault "a generator failed"
  elif ! (rm "$copy/after/bin" && cd "$copy" && diff --recursive --new-file --unified=1 before after) >"$copy/diff"; then
    head -n 200 "$copy/diff"
    fault "generated files are stale: run make generate manifests docs-api docs-cli docs-metrics dashboards, and commit the result"
  fi
}

# Identifiers of the controllers and of what decides use the glossary's words. Comments and texts may say "takes".
verify_words() {
  echo "==> words of docs/glossary.md"
  local file found
  while IFS= read -r -d '' file; do
    found=$(sed -E 's/"([^"\\]|\\.)*"//g; s/`[^`]*`//g; s,//.*$,,' "$file" |
      grep -nowE '([a-z]\w*)?([Tt]akers?|[Tt]akes|[Tt]aking|[Tt]ook)([A-Z]\w*)?' || true)
    [[ -z $found ]] || fault "$file: say revoke, not take (docs/glossary.md): ${found//$'\n'/ }"
  done < <(sources 'controllers/*.go' 'internal/budget/*.go' 'internal/kube/*.go' 'internal/memory/*.go' \
    'internal/policies/*.go' 'internal/plan/*.go' 'internal/seats/*.go' 'internal/lifecycle/*.go' \
    'internal/preview/*.go' 'internal/apply/*.go' ':!*_test.go')
  while IFS= read -r -d '' file; do
    found=$(sed -E 's/"([^"\\]|\\.)*"//g; s/`[^`]*`//g; s,//.*$,,' "$file" |
      grep -nowE 'gate|crowded|circuit|slots?|giveBack|leave|abandon|anew|holdAlone|blame|flaw|patience|directory' || true)
    [[ -z $found ]] || fault "$file: say it with the words of docs/glossary.md: ${found//$'\n'/ }"
  done < <(sources 'webhookserver/*.go' ':!*_test.go')
}

verify_format() {
  echo "==> gofmt"
  local unformatted
  unformatted=$(sources '*.go' | xargs -0 gofmt -l)
  [[ -z $unformatted ]] || fault "not formatted, run make fmt: ${unformatted//$'\n'/ }"
}

verify_modules() {
  local module
  for module in $MODULES; do
    echo "==> go mod tidy, $module"
    (cd "$module" && go mod tidy -diff) || fault "$module/go.mod or go.sum is not tidy: run go mod tidy there"
  done
}

verify_kustomizations() {
  echo "==> kustomizations under config/"
  local file folder found=0
  while IFS= read -r -d '' file; do
    # A Component is no entry point; the kustomizations that use it build it.
    if grep -q '^kind: Component' "$file"; then continue; fi
    found=1
    folder=$(dirname "$file")
    echo "    $folder"
    "$KUSTOMIZE" build "$folder" >/dev/null || fault "$folder does not build"
  done < <(sources 'config/**/kustomization.yaml' 'config/kustomization.yaml')
  ((found)) || fault "no kustomization found under config/"
}

verify_workflows() {
  echo "==> workflows"
  local file unpinned
  # Without other linters that one machine has and another one lacks.
  "$ACTIONLINT" -shellcheck= -pyflakes= || fault "a workflow is wrong"
  for file in .github/workflows/*; do
    grep -q '^permissions: {}$' "$file" || fault "$file does not begin with permissions: {}"
    unpinned=$(grep -nE '^ *(- )?uses:' "$file" | grep -vE '@[0-9a-f]{40} # v[0-9.]+$' || true)
    [[ -z $unpinned ]] || fault "$file uses actions without a commit and its version: $unpinned"
  done
}

verify_generated
verify_format
verify_words
verify_modules
verify_kustomizations
verify_workflows
exit "$failed"
