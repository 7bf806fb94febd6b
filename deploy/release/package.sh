#!/bin/sh
# Builds wheel, sdist and SDK into FOLDER, builds them again and compares, and runs the demo from the installed wheel.
# usage: package.sh FOLDER
# The host has what install.sh installs with apt. PYTHON: of which the new environment is made.
set -eu
[ $# = 1 ] || { sed -n '2,4p' "$0" >&2; exit 2; }
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() { .venv/bin/python deploy/release/packages.py "$1"; }

build "$work/first" >/dev/null
build "$work/second" >/dev/null
for file in "$work"/first/*; do
  cmp -s "$file" "$work/second/${file##*/}" || {
    echo "package.sh: two builds of ${file##*/} differ. Nothing was written to $1." >&2
    exit 1
  }
done

"${PYTHON:-/usr/bin/python3}" -m venv "$work/venv"
pip="$work/venv/bin/python -m pip install -q --disable-pip-version-check"
$pip --require-hashes -r requirements/run.txt
$pip --no-index --no-deps "$work"/first/pageworker-*.whl
# From another folder, so that nothing of the checkout is imported.
(cd "$work" && HOME=$work "$work/venv/bin/workerctl" demo)

mkdir -p "$1"
cp "$work"/first/* "$1"
cd "$1" && sha256sum pageworker*
