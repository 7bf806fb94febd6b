#!/bin/sh
# Installs the tools that check deployment files into .venv-deploy. A second run installs nothing.
set -eu
cd "$(dirname "$0")/../.."
wanted=$(sha256sum <requirements/deploy.txt)
[ "$(cat .venv-deploy/installed 2>/dev/null)" != "$wanted" ] || exit 0
"${PYTHON:-/usr/bin/python3}" -m venv .venv-deploy
.venv-deploy/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/deploy.txt
echo "$wanted" >.venv-deploy/installed
