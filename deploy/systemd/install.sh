#!/bin/sh
# Installs pageworker as a service: Python packages, user, folders, units. `install.sh system` calls it, as root, after
# the system packages. A second run with the same sources changes nothing. It starts and restarts no worker.
# usage: deploy/systemd/install.sh PYTHON
set -eu
python=$1
cd "$(dirname "$0")/../.."
prefix=/opt/pageworker
lib=/usr/local/lib

# A release is never changed: a daemon that runs may import a module from it at any time.
sources="setup.cfg pyproject.toml README.md LICENSE NOTICE requirements supervisor sandbox runner profiles seccomp examples docs/workerctl.1"
pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=go=rX \
  --exclude=__pycache__ --exclude='*.egg-info' -cf - $sources; }
release=releases/$( { pack; "$python" --version; } | sha256sum | cut -c1-12)
if [ ! -e "$prefix/$release/installed" ]; then
  echo "installing Python packages into $prefix/$release"
  install -d -m 0755 "$prefix" "$prefix/releases"
  rm -rf "${prefix:?}/$release"
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
  pack | tar -C "$copy" -xf -
  umask 022
  "$python" -m venv "$prefix/$release"
  pip="$prefix/$release/bin/python -m pip install -q --disable-pip-version-check"
  $pip --require-hashes -r requirements/run.txt
  $pip --no-deps --no-build-isolation "$copy"
  "$prefix/$release/bin/python" -m pageworker_runner.browser.driver_cache
  : >"$prefix/$release/installed"
fi
before=$(readlink "$prefix/venv" || true)
if [ "$before" != "$release" ]; then
  ln -sfn "$release" "$prefix/venv.new"
  mv -T "$prefix/venv.new" "$prefix/venv"
  # This release and the one that the link named before stay: daemons still run that one, and to go back is to set the
  # link again.
  for old in "$prefix"/releases/*; do
    case $old in "$prefix/$release" | "$prefix/${before:-none}") ;; *) rm -rf "$old" ;; esac
  done
fi
ln -sfn "$prefix/venv/bin/workerctl" /usr/local/bin/workerctl

install -d "$lib/systemd/system" "$lib/sysusers.d" "$lib/tmpfiles.d"
install -m 0644 deploy/systemd/pageworker.service deploy/systemd/pageworker@.service \
  deploy/systemd/pageworker-fleet.service deploy/systemd/pageworker-api.service "$lib/systemd/system/"
install -m 0644 deploy/systemd/pageworker.sysusers.conf "$lib/sysusers.d/pageworker.conf"
install -m 0644 deploy/systemd/pageworker.tmpfiles.conf "$lib/tmpfiles.d/pageworker.conf"
systemd-sysusers pageworker.conf
systemd-tmpfiles --create pageworker.conf
if [ ! -e /etc/pageworker/pageworker.toml ]; then
  # The daemon reads it, and only root changes it.
  install -m 0640 -g pageworker deploy/systemd/pageworker.toml /etc/pageworker/pageworker.toml
fi
[ ! -d /run/systemd/system ] || systemctl daemon-reload
echo "installed; next: edit /etc/pageworker/pageworker.toml, then systemctl enable --now pageworker (docs/systemd.md)"
