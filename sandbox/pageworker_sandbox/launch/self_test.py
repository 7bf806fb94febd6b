"""One cell for a moment, to see whether this host permits it at all."""

import os
import subprocess
from dataclasses import replace

from pageworker_sandbox.launch import bubblewrap, seccomp
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.launch_plan import STAGE, LaunchPlan, ProcessLimits, launcher_command
from pageworker_sandbox.launch.root_layout import trial_mounts
from pageworker_sandbox.launch.run_program import run_program

NOBODY = 65534
TRIAL_SECONDS = 20.0
LIMITS = ProcessLimits(memory_bytes=1024**3, processes=1000)
ALLOW_NAMESPACES = (
    "allow user namespaces: sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone=1 (Debian),"
    " kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu); in a container a seccomp profile that permits"
    " unshare, clone and mount"
)
ALLOW_PROC = (
    "in a container lift the runtime's masks from /proc: --security-opt unmask=ALL (podman) or"
    " --security-opt systempaths=unconfined (docker)"
)
RENAMING = "set hostname"
BROWSERS_OWN = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000):
    raise SystemExit("the browser's own sandbox can not make a user namespace: " + os.strerror(ctypes.get_errno()))
try:
    os.chroot("/proc/self/fdinfo")
except OSError as error:
    raise SystemExit(f"the browser's own sandbox can not change its root: {error.strerror}")
"""
"""Source: Chromium's sandbox/linux/services/credentials.cc."""
ALLOW_CHROOT = "in a container permit chroot to the browser's sandbox: --security-opt seccomp=seccomp/container.json"
MENDS = (
    ("mount proc", ALLOW_PROC),
    ("change its root", ALLOW_CHROOT),
    ("make a mount namespace", ALLOW_NAMESPACES),
    ("new namespace", ALLOW_NAMESPACES),
    ("uid map", ALLOW_NAMESPACES),
    ("loopback", ALLOW_NAMESPACES),
    ("become the cell's user", "run with CAP_SETUID and CAP_SETGID, or as an ordinary user"),
)
"""What the launcher or bubblewrap says, and what helps."""


def tried(host: Host) -> Host | HostProblem:
    """The host as it turned out to be, after one cell was started on it."""
    said = try_cell(host)
    if said and RENAMING in said:
        host = replace(host, renames=False)
        said = try_cell(host)
    if not said:
        return host
    mend = next((mend for words, mend in MENDS if words in said), ALLOW_NAMESPACES)
    return HostProblem(f"no cell can be started: {said}", str(host.bubblewrap), mend)


def try_cell(host: Host) -> str:
    """Start the interpreter with all that a runner has, and try what Chromium's own sandbox does. What went wrong."""
    filter_fd = _memfd(seccomp.compiled("runner"))
    mounts = trial_mounts(host)
    words = bubblewrap.words(mounts, STAGE, bubblewrap.Descriptors(filter_fd), network=False, rename=host.renames)
    words_fd = _memfd("\0".join(words).encode() + b"\0")
    command = [str(host.python), "-I", "-S", "-B", "-c", BROWSERS_OWN]
    argv = [str(host.bubblewrap), "--args", str(words_fd), "--", *command]
    uid = NOBODY if os.geteuid() == 0 else None
    plan_fd = _memfd(LaunchPlan(mounts, argv, uid, (), LIMITS).encode())
    try:
        ended = run_program(
            launcher_command(plan_fd), TRIAL_SECONDS, pass_fds=(filter_fd, words_fd, plan_fd), cwd="/", env={}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        for descriptor in (filter_fd, words_fd, plan_fd):
            os.close(descriptor)
    return "" if ended.returncode == 0 else ended.stderr.strip() or f"exit status {ended.returncode}"


def _memfd(data: bytes) -> int:
    descriptor = os.memfd_create("pageworker")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
