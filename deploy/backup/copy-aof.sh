#!/bin/sh
# Copies the append-only files of a Redis 7 or later while it runs. Needs no right in Redis, only to read its folder.
# usage: copy-aof.sh FOLDER TARGET      FOLDER: appendonlydir of the Redis; TARGET: a folder that does not exist yet
# The manifest names the files that belong together. Redis replaces it when it begins and when it ends a rewrite of its
# files, and else only appends to the newest of them. So a copy is whole if the manifest was the same before and after.
set -eu
[ $# = 2 ] || { sed -n '3p' "$0" >&2; exit 2; }
source=$1 target=$2
fail() { echo "copy-aof.sh: $1" >&2; exit 1; }
[ ! -e "$target" ] || fail "$target exists already"
# Redis writes the next manifest to `temp-…` and renames it.
manifest=$(ls "$source" | grep '\.manifest$' | grep -v '^temp-') ||
  fail "$source has no manifest: it is not the appendonlydir of a Redis 7 or later"
umask 077
tries=0 failures=0
while :; do
  before=$(cat "$source/$manifest")
  rm -rf "$target.part"
  mkdir -p "$target.part"
  if error=$(cp -a "$source/." "$target.part/" 2>&1); then
    [ "$before" != "$(cat "$source/$manifest")" ] || break
  elif [ "$before" = "$(cat "$source/$manifest")" ]; then
    # Redis deletes the old files shortly after it has replaced the manifest. A full disk fails each time.
    failures=$((failures + 1))
  fi
  tries=$((tries + 1))
  if [ "$tries" -ge 100 ] || [ "$failures" -ge 10 ]; then
    rm -rf "$target.part"
    fail "nothing is copied: ${error:-Redis rewrites its files all the time}"
  fi
done
rm -f "$target.part"/temp-*
mv "$target.part" "$target"
