"""The process tree below a daemon, read from /proc, and the limits of its processes."""

import os
import subprocess
from pathlib import Path


def below(pid: int) -> dict[int, str]:
    """Pid and command line of every descendant that is no zombie."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: dict[int, str] = {}
    todo = list(parents.get(pid, ()))
    while todo:
        here = todo.pop()
        todo += parents.get(here, ())
        try:
            found[here] = Path(f"/proc/{here}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def limit_descriptors(pid: int, limits: tuple[int, int]) -> tuple[int, int]:
    """Set the soft and the hard limit of another process. Returns those before.

    Its own user may do that, and root only with CAP_SYS_RESOURCE (getrlimit(2)), which containers take away.
    """
    before = descriptor_limits(pid)
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    uid, gid = lines["Uid"].split()[0], lines["Gid"].split()[0]
    become = [] if int(uid) == os.geteuid() else ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups"]
    subprocess.run([*become, "prlimit", f"--pid={pid}", f"--nofile={limits[0]}:{limits[1]}"], check=True)
    return before


def descriptor_limits(pid: int) -> tuple[int, int]:
    """The soft and the hard limit of open files."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    soft, hard = next(line for line in lines if line.startswith("Max open files")).split()[3:5]
    return int(soft), int(hard)
