#!/bin/sh
# Loads the AppArmor profile of this installation, now and at each start of the host. Needs root.
# usage: load.sh [--print]      --print: print the profile of this installation, and do nothing
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(dirname "$(dirname "$here")")
target=/etc/apparmor.d/pageworker
fail() { echo "load.sh: $1" >&2; exit 1; }

case $folder in
  # In a profile, other characters have a meaning of their own.
  *[!A-Za-z0-9/._-]*) fail "move $folder to a path of letters, digits and . _ - only" ;;
esac
profile=$(sed "s|^\(@{pageworker_bin} =\) [^ ]*|\1 $folder/.venv/bin|" "$here/pageworker")
case ${1:-} in
  "") ;;
  --print) printf '%s\n' "$profile"; exit 0 ;;
  *) sed -n '2,3p' "$0"; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || fail "run it as root: sudo $0"
command -v apparmor_parser >/dev/null 2>&1 || fail "missing; install as root: apparmor"
printf '%s\n' "$profile" >"$target.new"
apparmor_parser -r "$target.new" || { rm -f "$target.new"; fail "the profile is not loaded: needs AppArmor 4.0 or later"; }
mv "$target.new" "$target"
echo "loaded: pageworker and workerctl of $folder/.venv and of \`install.sh system\` may make user namespaces ($target)"
