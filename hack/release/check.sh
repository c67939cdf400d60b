#!/usr/bin/env bash
# Makes the files of a release for the platform of this machine, and checks them:
#   - they come out the same, bit for bit, from a copy of the checkout in another folder. Both share Go's build cache,
#     so what is compared is linking, packing and all that is made of it; compiling anew is for the release workflow,
#   - the checksums are right, the SBOMs are valid, the notes say something,
#   - krew installs the plugin from manifest and archive, and it runs,
#   - the image has nothing but what it needs, and its programs run in it without root,
#   - install.yaml installs that image by its digest.
# Reads KUSTOMIZE and KREW (the programs).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

: "${KUSTOMIZE:?run this by make release-check}" "${KREW:?run this by make release-check}"
host=$(go env GOHOSTOS)/$(go env GOHOSTARCH)
image=linux/$(go env GOHOSTARCH)
platforms=$host
[[ $host == "$image" ]] || platforms+=" $image"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

make_files() {
  make --no-print-directory -C "$1" "RELEASE_PLATFORMS=$platforms" release-files release-notes
}

# A clone knows the commit, its time and the tags; what was not committed is laid over it.
copy_to() {
  git clone --quiet . "$1"
  find "$1" -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [[ -e $file ]]; then printf '%s\0' "$file"; fi
  done | tar --create --null --files-from=- | tar --extract --directory="$1"
}

echo "==> testing what makes and checks a release"
go test ./hack/release
go test -C hack/tools ./image ./spdxcheck

make_files .
echo "==> again, in another folder"
copy_to "$scratch/copy"
ln -s "$PWD/bin" "$scratch/copy/bin"
make_files "$scratch/copy"
for made in programs release image image.digest notes.md; do
  diff --recursive "dist/$made" "$scratch/copy/dist/$made" || {
    echo "the same commit made two different dist/$made" >&2
    exit 1
  }
done

echo "==> checksums, SBOMs, notes"
(cd dist/release && sha256sum --check --strict --quiet SHA256SUMS)
go run -C hack/tools ./spdxcheck "$PWD"/dist/release/*.spdx.json
[[ -s dist/notes.md ]]

version=$(sed -n 's/^  version: //p' dist/release/course.yaml)
echo "==> krew installs the plugin $version"
archives=(dist/release/kubectl-course_"${version}_${host/\//_}".{tar.gz,zip})
for archive in "${archives[@]}"; do
  [[ -e $archive ]] || continue
  KREW_ROOT=$scratch/krew KREW_NO_UPGRADE_CHECK=1 PATH="$scratch/krew/bin:$PATH" \
    "$KREW" install --manifest=dist/release/course.yaml --archive="$archive" </dev/null
done
said=$("$scratch/krew/bin/kubectl-course" version --client)
[[ $said == *"$version"* ]] || { echo "the plugin says $said" >&2; exit 1; }

echo "==> the image $(cat dist/image.digest)"
run=()
[[ $host != "$image" ]] || run=(--run "$image")
go run -C hack/tools ./image check --version "$version" ${run[@]+"${run[@]}"} "$PWD/dist/image"
images=$(grep -E '^ *(- )?image:' dist/release/install.yaml)
wrong=$(grep -vF "@$(cat dist/image.digest)" <<<"$images" || true)
[[ -z $wrong ]] || { echo "install.yaml has images that are not the one of the release: $wrong" >&2; exit 1; }
