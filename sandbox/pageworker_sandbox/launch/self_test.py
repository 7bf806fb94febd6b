"""Starts one sandbox for a moment, to see whether this host permits it."""

import subprocess
from contextlib import ExitStack
from dataclasses import replace

from pageworker_sandbox.launch import apparmor, bubblewrap, seccomp
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.fd_stack import FdStack
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.launch_plan import STAGE, LaunchPlan, ProcessLimits, launcher_command
from pageworker_sandbox.launch.left_init import await_init
from pageworker_sandbox.launch.root_layout import self_test_mounts
from pageworker_sandbox.launch.run_program import run_program
from pageworker_sandbox.sandbox_rights import ALLOW_CHROOT, ALLOW_NAMESPACES, right_of

SELF_TEST_SECONDS = 20.0
LIMITS = ProcessLimits(memory_bytes=1024**3, processes=1000)
ALLOW_PROC = (
    "in a container lift the runtime's masks from /proc: --security-opt unmask=ALL (podman) or"
    " --security-opt systempaths=unconfined (docker)"
)
SET_HOSTNAME = "set hostname"
"""Part of bubblewrap's error if a container's seccomp policy forbids sethostname(2)."""
BROWSER_SANDBOX = "the browser's own sandbox cannot"
"""Begin of the error if only Chromium's own sandbox lacks something."""
BROWSER_SANDBOX_PROBE = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000):
    raise SystemExit("{BROWSER_SANDBOX} make a user namespace: " + os.strerror(ctypes.get_errno()))
try:
    os.chroot("/proc/self/fdinfo")
except OSError as error:
    raise SystemExit("{BROWSER_SANDBOX} change its root: " + error.strerror)
"""
"""Does what Chromium's own sandbox does. Source: Chromium's sandbox/linux/services/credentials.cc."""
MENDS = (
    ("mount proc", ALLOW_PROC),
    ("change its root", ALLOW_CHROOT),
    ("make a mount namespace", ALLOW_NAMESPACES),
    ("new namespace", ALLOW_NAMESPACES),
    ("uid map", ALLOW_NAMESPACES),
    ("loopback", ALLOW_NAMESPACES),
    ("become the sandbox's user", "run with CAP_SETUID and CAP_SETGID, or as an ordinary user"),
)
"""Part of an error of the launcher or of bubblewrap, and the fix."""
PASSING = (
    "Resource temporarily unavailable",
    "Cannot allocate memory",
    "Too many open files",
    "timed out",
)
"""Parts of errors that may be over at the next start. ENOSPC is none: unshare(2) has it for a namespace limit of 0."""

WAIT = "the host is short of processor time, memory, processes or open files: free some, and start again"


def verify_host(host: Host) -> Host | HostProblem:
    """Start a sandbox on the host. Returns the host, corrected by what the test found, or the problem."""
    error = run_self_test(host)
    if error and SET_HOSTNAME in error:
        host = replace(host, renames=False)
        error = run_self_test(host)
    if not error:
        return host
    what = f"no sandbox can be started: {error}"
    if BROWSER_SANDBOX in error:
        what = f"the right chromium_sandbox is missing: {error}. {right_of('chromium_sandbox').loss}"
    return HostProblem(what, str(host.bubblewrap), mend_for(error), passing(error))


def passing(error: str) -> bool:
    """Whether an error of the launcher, of bubblewrap or of the test may be over at the next start."""
    return any(part in error for part in PASSING)


def mend_for(error: str) -> str:
    """The fix for an error of the launcher or of bubblewrap."""
    if passing(error):
        return WAIT
    mend = next((mend for part, mend in MENDS if part in error), ALLOW_NAMESPACES)
    # AppArmor lets a program make a user namespace and takes its capabilities: any later step may be what fails.
    return apparmor.mend_user_namespaces(mend)


def run_self_test(host: Host) -> str:
    """Run BROWSER_SANDBOX_PROBE in a runner's sandbox. Returns the error; an empty text: it worked."""
    with ExitStack() as stack:
        descriptors = FdStack(stack)
        filter_fd = descriptors.memfd(seccomp.compiled("runner"))
        info_fd, go_fd = descriptors.memfd(b""), descriptors.memfd(b"x")
        mounts = self_test_mounts(host)
        passed_to_it = bubblewrap.Descriptors(filter_fd, (info_fd, go_fd))
        options = bubblewrap.arguments(mounts, STAGE, passed_to_it, network=False, rename=host.renames)
        options_fd = descriptors.memfd("\0".join(options).encode() + b"\0")
        command = [str(host.python), "-I", "-S", "-B", "-c", BROWSER_SANDBOX_PROBE]
        argv = [str(host.bubblewrap), "--args", str(options_fd), "--", *command]
        plan = LaunchPlan(mounts, argv, host.test_uid, (), LIMITS, host.namespace_descriptor)
        plan_fd = descriptors.memfd(plan.encode())
        passed = [filter_fd, info_fd, go_fd, options_fd, plan_fd]
        passed += [] if host.user_namespace is None else [host.user_namespace.descriptor]
        try:
            ended = run_program(launcher_command(plan_fd), SELF_TEST_SECONDS, pass_fds=passed, cwd="/", env={})
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        finally:
            await_init(info_fd)
    return "" if ended.returncode == 0 else ended.stderr.strip() or f"exit status {ended.returncode}"
