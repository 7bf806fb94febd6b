"""Starting a program of ours as root or as an ordinary user, on a small host of its own within this one.

It has a mount, pid and net namespace: attacks without a sandbox's own must not meet this machine's processes and
networks, and nothing that they leave behind is left.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from pw_escape.attack import StartedBy

CHECKOUT = Path(__file__).resolve().parents[2]
USER = 261_901
SEEN = Path("/mnt")
SOURCES = ("supervisor", "sandbox", "runner", "profiles", "tests")
RESOLVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
WORLD = Path("/media")
"""Empty, and all attacks' files are in it. Not in /tmp: a sandbox has one of its own over what would be seen there."""
GROUND = f"""
mount -t tmpfs -o mode=1777 tmpfs {WORLD}
# Above all numbers that a process in a pid namespace of a sandbox has.
echo 20000 > /proc/sys/kernel/ns_last_pid
"$PW_PYTHON" -B -m pw_escape.groups "$PW_GROUP"
"$PW_PYTHON" -B -m pw_escape.network
# The host's own resolver is covered: names are those of the test.
if [ -e /etc/resolv.conf ]; then mount --bind "$PW_RESOLVER" "$(realpath /etc/resolv.conf)"; fi
"""
AS_ROOT = """
exec "$@"
"""
# Root's checkout, and its Python, may lie where nobody else can go: so the one is shown at /mnt, and what keeps from
# the other is covered by an empty folder that has nothing but it.
AS_USER = f"""
mount --bind {CHECKOUT} {SEEN}
mount -t tmpfs -o mode=1777 tmpfs /tmp
as_user="setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --bounding-set -all --inh-caps -all"
if ! $as_user test -x "$PW_BASE/bin"; then
    top=/$(echo "$PW_BASE" | cut -d/ -f2)
    mkdir /tmp/base
    mount --bind "$PW_BASE" /tmp/base
    mount -t tmpfs -o mode=755 tmpfs "$top"
    mkdir -p "$PW_BASE"
    mount --bind /tmp/base "$PW_BASE"
    umount /tmp/base
fi
cd {SEEN}/tests
export PYTHONPATH="$PW_SEEN_PATH"
exec $as_user "$@"
"""
# Nobody special: the namespaces were made within a user namespace, whose root has set them up and is left again.
AS_BEFORE = f"""
exec unshare --user --map-user={os.getuid()} --map-group={os.getgid()} -- "$@"
"""


def possible(mode: StartedBy) -> bool:
    """Only root can start something as root; as an ordinary user everybody can."""
    return mode is StartedBy.USER or os.geteuid() == 0


def group(mode: StartedBy) -> str:
    """Name of the control group of what is started."""
    return f"pw-escape.{os.getpid()}.{mode.value}"


def start(mode: StartedBy, arguments: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """`python ARGUMENTS` with pipes for stdin and stdout. `folder` is for files of ours, readable by all."""
    resolver = folder / "resolv.conf"
    resolver.write_text(RESOLVER)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/tmp",
        "PYTHONPATH": _path(CHECKOUT),
        "PW_SEEN_PATH": _path(SEEN),
        "PW_PYTHON": sys.executable,
        "PW_BASE": sysconfig.get_config_var("installed_base") or sys.base_prefix,
        "PW_RESOLVER": str(resolver),
        "PW_GROUP": group(mode),
    }
    python = sys.executable
    become, user = AS_ROOT, []
    if os.geteuid() != 0:
        become, user = AS_BEFORE, ["--user", "--map-root-user"]
    elif mode is StartedBy.USER:
        become, python = AS_USER, str(SEEN / Path(sys.executable).relative_to(CHECKOUT))
    own = [*user, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return subprocess.Popen(
        ["unshare", *own, "sh", "-ec", GROUND + become, "sh", python, "-B", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=CHECKOUT / "tests",
    )


def _path(root: Path) -> str:
    return ":".join(f"{root}/{name}" for name in SOURCES)
