#!/bin/sh
# Installs Debian packages into an image, and leaves nothing behind that differs from build to build.
# usage: packages.sh PACKAGE ...
# SOURCE_DATE_EPOCH: the date that `podman build --timestamp` gives to all files. Fontconfig's caches then fit.
set -eu
export DEBIAN_FRONTEND=noninteractive PYTHONHASHSEED=0

# Packages that start their service must not do so while the image is built. Source: invoke-rc.d(8).
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d

# An image needs no manuals. Licences stay. x11-utils, on which chromium-common depends, brings Mesa with LLVM:
# Chromium draws with its own SwiftShader. The packages are installed, without these files. Source: dpkg(1).
cat >/etc/dpkg/dpkg.cfg.d/pageworker <<'EOF'
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/locale/*/LC_MESSAGES/*
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/lib/*/libLLVM-*
path-exclude=/usr/lib/*/dri/*
EOF

apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@" >/dev/null

# The root file system is read-only, and all files get the same date: bytecode that is checked by date would be
# compiled again by each process. Each runner would read all fonts again as well.
! command -v python3 >/dev/null || python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3* /usr/share/python3
if command -v fc-cache >/dev/null; then
  # fc-cache deletes a cache that does not fit the date of its folder, so the folders get their final date first.
  [ -z "${SOURCE_DATE_EPOCH:-}" ] || find /usr/share/fonts /usr/local/share/fonts -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  fc-cache -f
fi

# The package dbus writes a random one. All containers of an image have the same in any case. Source: machine-id(5).
id=$(printf %s "${SOURCE_DATE_EPOCH:-0}" | md5sum | cut -c 1-32)
for file in /etc/machine-id /var/lib/dbus/machine-id; do
  [ ! -s "$file" ] || [ -L "$file" ] || printf '%s\n' "$id" >"$file"
done

apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
  /var/lib/dpkg/*-old /var/log/* /tmp/* /root/.cache /usr/sbin/policy-rc.d /etc/*-
