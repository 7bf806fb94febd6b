"""What a cell's root holds, in the order of mounting. Pure: host and spec in, mounts out."""

import json
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.mounts import Bind, Data, Mode, Mount, Scratch, same

MIB = 1024 * 1024
TMP_BYTES = 512 * MIB
SHM_BYTES = 512 * MIB
DEVICES = ("null", "zero", "full", "random", "urandom")  # no terminal, no pseudo-terminals
FONTS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
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
"""Says on a descriptor that the interpreter is up, then runs a module as `python -m` does."""
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
"""Enterprise policy: local schemes are nobody's business. chrome://sandbox is the proof that the browser's own
sandbox is on. The headless shell reads no policy. Source: chromeenterprise.google/policies."""
POLICY_FOLDERS = ("/etc/chromium", "/etc/chromium-browser", "/etc/opt/chrome", "/etc/opt/edge")


@dataclass(frozen=True)
class CellSpec:
    """One runner. `uid` is its own user where we are root, else None."""

    runner_id: str
    uid: int | None
    profile_dir: Path
    memory_bytes: int
    processes: int
    """Threads and processes."""


def runner_mounts(host: Host, spec: CellSpec) -> tuple[Mount, ...]:
    """Interpreter, browser, driver, fonts, a policy, the profile. No shell, no user database, no resolver."""
    policy = json.dumps(POLICY)
    return (
        *host.system,
        *host.runner,
        *(same(Path(path)) for path in FONTS if Path(path).exists()),
        *(Data(policy, Path(folder, "policies/managed/pageworker.json")) for folder in POLICY_FOLDERS),
        Data("127.0.0.1 localhost runner\n", Path("/etc/hosts")),
        Data("hosts: files\n", Path("/etc/nsswitch.conf")),
        *_common(TMP_BYTES, SHM_BYTES),
        Bind(spec.profile_dir, Path("/profile"), Mode.READ_WRITE),
    )


def trial_mounts(host: Host) -> tuple[Mount, ...]:
    """A runner without a profile."""
    return (*host.system, *host.runner, *_common(TMP_BYTES, SHM_BYTES))


def gateway_mounts(host: Host) -> tuple[Mount, ...]:
    """The interpreter. Nothing can be written, nor executed once it runs."""
    return (*host.system, *host.gateway, *_common(0, 0))


def dialer_mounts(host: Host) -> tuple[Mount, ...]:
    """Interpreter and name resolution. Nothing can be written, nor executed once it runs."""
    files = (Path(path) for path in RESOLVER)
    return (
        *host.system,
        *host.gateway,
        *(Bind(path.resolve(), path) for path in files if path.exists()),
        *_common(0, 0),
    )


def _common(tmp_bytes: int, shm_bytes: int) -> tuple[Mount, ...]:
    scratch = ((tmp_bytes, "/tmp"), (shm_bytes, "/dev/shm"))  # noqa: S108 - tmpfs of the cell's own
    return (
        Data(START_TEXT, START),
        *(Bind(Path("/dev", name), Path("/dev", name), Mode.DEVICE) for name in DEVICES),
        *(Scratch(size, Path(path)) for size, path in scratch if size),
    )
