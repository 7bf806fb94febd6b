#!/bin/sh
# Scans what is deployed: checkov the manifests and the Containerfile, pip-audit the locked packages.
# It needs kubectl, and for pip-audit an index with advisories (PyPI's own has them).
set -eu
cd "$(dirname "$0")/../.."
deploy/checks/tools.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tools=.venv-deploy/bin

.venv/bin/python deploy/kubernetes/render.py "$work"
cp Containerfile "$work/Dockerfile"
"$tools/checkov" --config-file deploy/checks/checkov.yaml --directory "$work"
# --strict: a package without an answer is a failure, and not a pass.
"$tools/pip-audit" --strict --disable-pip --require-hashes --requirement requirements/run.txt
echo "scan.sh: nothing found"
