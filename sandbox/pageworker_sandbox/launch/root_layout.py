"""What the root of a sandbox holds, in the order of mounting. Pure: host and spec in, mounts out."""

import json
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.mounts import Bind, Data, Mount, MountMode, Scratch, same

SCRATCH_BYTES = 512 * 1024**2
SCRATCH_FILES = 32_768
SCRATCH_SHARE = 4
"""A tmpfs holds at most 1/SCRATCH_SHARE (a quarter) of its runner's memory, because its content counts as memory."""
TMP, SHM, PROFILE = Path("/tmp"), Path("/dev/shm"), Path("/profile")  # noqa: S108 - paths inside the sandbox, each a tmpfs
DEVICES = ("null", "zero", "full", "random", "urandom")  # no terminal, no pseudo-terminals
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts")
FONT_FOLDERS = (
    *FONTS,
    "/usr/share/fontconfig",
    "/etc/fonts",
    "/var/cache/fontconfig",
    "/usr/share/zoneinfo",
)
RESOLVER = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf")
START = Path("/opt/pageworker/start.py")
START_TEXT = """\
import os, runpy, sys
sys.path[:0] = ["/opt/pageworker/code", "/opt/pageworker/site"]
up = int(sys.argv.pop(1))
os.write(up, b"1")
os.close(up)
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
"""Writes a byte to a pipe once the interpreter runs, then runs a module as `python -m` does."""
POLICY = {
    "URLBlocklist": [
        "file://*",
        "view-source:*",
        "filesystem:*",
        "chrome://*",
        "chrome-untrusted://*",
        "devtools://*",
    ],
    "URLAllowlist": ["chrome://sandbox"],
    "ExtensionInstallBlocklist": ["*"],
    "BackgroundModeEnabled": False,
    "BrowserSignin": 0,
    "ComponentUpdatesEnabled": False,
    "DnsOverHttpsMode": "off",
    "MetricsReportingEnabled": False,
    "PasswordManagerEnabled": False,
    "WebRtcIPHandling": "disable_non_proxied_udp",
}
"""Enterprise policy: it blocks local schemes. chrome://sandbox stays allowed, because it shows that the browser's own
sandbox is on. The headless shell reads no policy. Source: chromeenterprise.google/policies."""
POLICY_FOLDERS = ("/etc/chromium", "/etc/chromium-browser", "/etc/opt/chrome", "/etc/opt/edge")


@dataclass(frozen=True)
class SandboxSpec:
    """The sandbox of one runner. `uid` is its own user if the supervisor is root, otherwise None."""

    runner_id: str
    uid: int | None
    profile_dir: Path | None
    """None: a tmpfs, which is gone when the runner ends."""
    memory_bytes: int
    processes: int
    """Maximum number of threads and processes."""
    scratch_bytes: int = SCRATCH_BYTES
    """Size of each tmpfs."""
    scratch_files: int = SCRATCH_FILES
    """Maximum number of files and folders in each tmpfs."""
    profile_fd: int | None = None
    """O_PATH descriptor of the profile folder that was checked: see `Bind.checked_fd`."""

    def profile(self) -> Mount:
        """The profile folder, or a tmpfs in its place."""
        if self.profile_dir is None:
            return self.scratch(PROFILE)
        return Bind(self.profile_dir, PROFILE, MountMode.READ_WRITE, self.profile_fd)

    def scratch(self, inside: Path) -> Scratch:
        """A tmpfs at `inside`, within the runner's limits."""
        return Scratch(min(self.scratch_bytes, self.memory_bytes // SCRATCH_SHARE), inside, self.scratch_files)


def runner_mounts(host: Host, spec: SandboxSpec) -> tuple[Mount, ...]:
    """Interpreter, browser, driver, fonts, browser policy, profile. No shell, no user database, no resolver."""
    policy = json.dumps(POLICY)
    return (
        *host.system,
        *host.runner,
        *(same(Path(path)) for path in FONT_FOLDERS if Path(path).exists()),
        *(Data(policy, Path(folder, "policies/managed/pageworker.json")) for folder in POLICY_FOLDERS),
        Data("127.0.0.1 localhost runner\n", Path("/etc/hosts")),
        Data("hosts: files\n", Path("/etc/nsswitch.conf")),
        *_common(),
        *(spec.scratch(inside) for inside in (TMP, SHM)),
        spec.profile(),
    )


def self_test_mounts(host: Host) -> tuple[Mount, ...]:
    """A runner's root without a profile, for the self-test of the host."""
    scratch = (Scratch(SCRATCH_BYTES, inside, SCRATCH_FILES) for inside in (TMP, SHM))
    return (*host.system, *host.runner, *_common(), *scratch)


def gateway_mounts(host: Host) -> tuple[Mount, ...]:
    """The interpreter. The gateway can write no file, and its seccomp policy forbids execve."""
    return (*host.system, *host.gateway, *_common())


def dialer_mounts(host: Host) -> tuple[Mount, ...]:
    """Interpreter and name resolution. The dialer can write no file, and its seccomp policy forbids execve."""
    files = (Path(path) for path in RESOLVER)
    return (
        *host.system,
        *host.gateway,
        *(Bind(path.resolve(), path) for path in files if path.exists()),
        *_common(),
    )


def _common() -> tuple[Mount, ...]:
    return (
        Data(START_TEXT, START),
        *(Bind(Path("/dev", name), Path("/dev", name), MountMode.DEVICE) for name in DEVICES),
    )
