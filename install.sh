#!/bin/sh
# Installs what pageworker needs on Debian or Ubuntu: system packages through apt, Python packages into .venv.
# usage: install.sh [run|dev|system]
#   run: to use it (default); dev: to test it as well; system: as a service of systemd, in /opt/pageworker (as root)
# A second run finds everything in place and does nothing.
set -eu
cd "$(dirname "$0")"
what=${1:-run}
case $what in run | dev | system) ;; *) sed -n '2,5p' "$0"; exit 2 ;; esac
[ "$what" != system ] || [ "$(id -u)" = 0 ] || { echo "install.sh system: run it as root" >&2; exit 1; }

# Ubuntu has Chromium as a snap only. No sandbox can start a snap: that is for snapd alone.
chromium=/usr/lib/chromium/chromium:chromium shell=/usr/lib/chromium/chromium-headless-shell:chromium-headless-shell
if grep -qs '^ID=ubuntu' /etc/os-release; then
  chromium="" shell="" found=""
  for browser in /opt/google/chrome/chrome /opt/microsoft/msedge/msedge /usr/lib/chromium/chromium \
    "$HOME"/.cache/ms-playwright/chromium-*/chrome-linux*/chrome; do
    [ ! -x "$browser" ] || found=$browser
  done
  if [ -z "$found" ]; then
    echo "install.sh: Ubuntu has Chromium as a snap only, which no sandbox can start. Install Google Chrome's .deb package" \
      "(https://www.google.com/chrome), or use the container: docs/distributions.md" >&2
    exit 1
  fi
fi
# Without this the installation succeeds, and no browser starts.
if grep -qs 1 /proc/sys/kernel/apparmor_restrict_unprivileged_userns &&
  ! grep -qsF "= $PWD/.venv/bin" /etc/apparmor.d/pageworker; then
  echo "install.sh: AppArmor restricts user namespaces here. Run once: sudo deploy/apparmor/load.sh (docs/distributions.md)" >&2
  exit 1
fi

# program or file, and the package that brings it
needs="bwrap:bubblewrap redis-server:redis-server libseccomp.so.2:libseccomp2 $chromium"
# Fonts: those that Playwright installs for Chromium on Debian 12. Without them pages show boxes in place of text.
fonts=/usr/share/fonts
needs="$needs $fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core
 $fonts/truetype/liberation/LiberationSans-Regular.ttf:fonts-liberation
 $fonts/truetype/freefont/FreeSans.ttf:fonts-freefont-ttf $fonts/truetype/wqy/wqy-zenhei.ttc:fonts-wqy-zenhei
 $fonts/opentype/ipafont-gothic/ipag.ttf:fonts-ipafont-gothic $fonts/opentype/tlwg/Loma.otf:fonts-tlwg-loma-otf
 $fonts/truetype/noto/NotoColorEmoji.ttf:fonts-noto-color-emoji $fonts/opentype/unifont/unifont.otf:fonts-unifont"
[ "$what" != dev ] || needs="$needs minisign:minisign $shell openssl:openssl
 promtool:prometheus amtool:prometheus-alertmanager systemd-analyze:systemd"
[ "$what" != system ] || needs="$needs systemd-sysusers:systemd /usr/bin/kill:procps"

present() {
  case $1 in
    /*) [ -e "$1" ] ;;
    lib*) ls /usr/lib/*/"$1" /lib/*/"$1" >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing=""
for need in $needs; do
  present "${need%%:*}" || missing="$missing ${need##*:}"
done
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || missing="$missing python3"
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

if [ -n "$missing" ]; then
  root=""
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && root=sudo; }
  if ! command -v apt-get >/dev/null 2>&1 || { [ "$(id -u)" != 0 ] && [ -z "$root" ]; }; then
    echo "install.sh: missing; install as root:$missing" >&2
    exit 1
  fi
  echo "installing:$missing"
  export DEBIAN_FRONTEND=noninteractive
  # Debian starts what it installs. The tests need these programs, and no service of this host does.
  case $missing in *prometheus*)
    command -v systemctl >/dev/null 2>&1 && $root systemctl -q mask prometheus prometheus-alertmanager 2>/dev/null || true ;;
  esac
  $root apt-get update -qq
  $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

[ "$what" != system ] || exec deploy/systemd/install.sh "$python"

lock=requirements/$what.txt
stamp=.venv/installed
wanted=$(cat "$lock" setup.cfg | sha256sum | cut -d' ' -f1)
if [ "$(cat $stamp 2>/dev/null)" != "$wanted" ]; then
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  echo "installing Python packages into .venv"
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
  echo "$wanted" >$stamp
fi
# A runner cannot write bytecode, so each one would compile its code again: 0.1 s of processor time.
.venv/bin/python -m compileall -q runner sandbox
# The same for the JavaScript of Playwright's driver: 0.2 s.
.venv/bin/python -m pageworker_runner.browser.driver_cache
