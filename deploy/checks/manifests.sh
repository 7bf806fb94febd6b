#!/bin/sh
# Checks the deployment files: manifests of Kubernetes against its schemas, Nomad's job, the
# workflows against GitHub's schema.
# It needs kubectl, and no network once .venv-deploy is there.
set -eu
cd "$(dirname "$0")/../.."
deploy/checks/tools.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tools=.venv-deploy/bin

.venv/bin/python deploy/kubernetes/render.py "$work"
# The oldest version with user namespaces and procMount by default, and the newest that the tool has. A resource of KEDA
# has no schema there: tests/kubernetes and tests/scaling check it.
for version in 1.33 1.35; do
  "$tools/kubernetes-validate" --strict --kubernetes-version "$version" "$work"/*.yaml
done
"$tools/python" -c 'import hcl2, sys; hcl2.load(open(sys.argv[1]))' deploy/nomad/pageworker.nomad.hcl
"$tools/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
echo "manifests.sh: all deployment files are valid"
