"""Starts a Python program as root or as an ordinary user, on a small host of its own within this one.

That host has its own mount, pid and net namespace. So an attack that runs without a sandbox's namespaces meets neither
the processes nor the networks of this machine, and all that it leaves behind disappears with the namespaces.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from pw_sandbox.uids import FIRST_UID, VARIABLE

from pw_escape.attack import StartedBy

CHECKOUT = Path(__file__).resolve().parents[2]
USER = FIRST_UID + 1
SEEN = Path("/mnt")
SOURCES = ("supervisor", "sandbox", "runner", "profiles", "tests")
RESOLVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
WORLD = Path("/media")
"""An empty folder for the files of all attacks. Not in /tmp, because a sandbox covers /tmp with its own."""
NAMESPACE_SETUP = f"""
mount -t tmpfs -o mode=1777 tmpfs {WORLD}
# Higher than every pid in a sandbox's pid namespace.
echo 20000 > /proc/sys/kernel/ns_last_pid
"$PW_PYTHON" -B -m pw_escape.groups "$PW_GROUP"
"$PW_PYTHON" -B -m pw_escape.network
# Cover the host's resolver configuration: names are those of the test.
if [ -e /etc/resolv.conf ]; then mount --bind "$PW_RESOLVER" "$(realpath /etc/resolv.conf)"; fi
"""
AS_ROOT = """
exec "$@"
"""
# Other users may have no access to root's checkout and to its Python. So the checkout is bind-mounted at /mnt, and the
# top folder of the Python is covered by an empty one that holds only the Python.
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
# Without root: the namespaces belong to a user namespace. Its root sets them up; then the user becomes itself again.
AS_BEFORE = f"""
exec unshare --user --map-user={os.getuid()} --map-group={os.getgid()} -- "$@"
"""


def possible(mode: StartedBy) -> bool:
    """Whether this user can start programs in this way: only root can start them as root."""
    return mode is StartedBy.USER or os.geteuid() == 0


def group(mode: StartedBy) -> str:
    """Name of the cgroup of the started program."""
    return f"pw-escape.{os.getpid()}.{mode.value}"


def start(mode: StartedBy, arguments: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start `python ARGUMENTS` with pipes for stdin and stdout. `folder` must be readable by all users."""
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
        VARIABLE: str(FIRST_UID),
    }
    python = sys.executable
    become, user = AS_ROOT, []
    if os.geteuid() != 0:
        become, user = AS_BEFORE, ["--user", "--map-root-user"]
    elif mode is StartedBy.USER:
        become, python = AS_USER, str(SEEN / Path(sys.executable).relative_to(CHECKOUT))
    own = [*user, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return subprocess.Popen(
        ["unshare", *own, "sh", "-ec", NAMESPACE_SETUP + become, "sh", python, "-B", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=CHECKOUT / "tests",
    )


def _path(root: Path) -> str:
    return ":".join(f"{root}/{name}" for name in SOURCES)
