#!/bin/sh
# Copies the profiles of a worker while it runs, each one while no browser has it open.
# usage: copy-profiles.sh FOLDER TARGET [SECONDS]
#   FOLDER: `profiles` in the data folder; TARGET: a folder; SECONDS: how long to wait for each profile (default 60)
# A profile is locked with the lock that runners take (docs/profiles.md), so a job that wants it meanwhile waits. A profile
# that stays in use is named, and the exit code is 1. The copy TENANT/PROFILE.tar replaces an earlier one.
set -eu
[ $# -ge 2 ] || { sed -n '3,4p' "$0" >&2; exit 2; }
source=$1 target=$2 seconds=${3:-60}
umask 077
mkdir -p "$target"
code=0
for lock in "$source"/*/*/lock; do
  [ -e "$lock" ] || continue
  profile=$(dirname "$lock")
  name=${profile#"$source"/}
  [ -d "$profile/data" ] || continue
  mkdir -p "$target/$(dirname "$name")"
  # Not `fence`: a restored profile keeps the highest token that has opened it.
  if flock --wait "$seconds" --conflict-exit-code 9 "$lock" \
    tar -C "$profile" -cf "$target/$name.tar.part" --one-file-system data; then
    mv "$target/$name.tar.part" "$target/$name.tar"
  else
    echo "copy-profiles.sh: not copied, in use or not readable: $name" >&2
    rm -f "$target/$name.tar.part"
    code=1
  fi
done
exit $code
