#!/bin/sh
# Builds the image localhost/pageworker:TARGET with podman.
# usage: build.sh BASE headless|full [OPTION OF podman build ...]
# BASE names a Debian 12 image by digest: debian@sha256:…
# The same commit on the same BASE gives the same digest, as long as the package sources of BASE give the same packages.
set -eu
[ $# -ge 2 ] || { sed -n '2,4p' "$0" >&2; exit 2; }
cd "$(dirname "$0")/../.."
base=$1 target=$2
shift 2
case $base in *@sha256:*) ;; *)
  echo "build.sh: BASE is '$base'. Give a digest, NAME@sha256:…, so that the next build has the same base." >&2
  exit 2 ;;
esac
# All files of the image get the date of the commit.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
# podman writes ids of this build into the image. Its own tag keeps the layers for the next build.
podman build --format docker --target "$target" --tag "localhost/pageworker-build:$target" \
  --timestamp "$epoch" --build-arg "SOURCE_DATE_EPOCH=$epoch" --build-arg "BASE=$base" \
  --build-arg "VERSION=$(sed -n 's/^version = //p' setup.cfg)" --build-arg "REVISION=$(git rev-parse HEAD)" "$@" .
exec python3 deploy/container/reproducible.py "localhost/pageworker-build:$target" "localhost/pageworker:$target"
