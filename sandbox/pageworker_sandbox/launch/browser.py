"""Finds the browser binary where distributions and vendors install it."""

from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.flavor import Flavor, FlavorWish, flavor_of
from pageworker_sandbox.launch import elf
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.mounts import Bind

# These are binaries. The shell scripts in /usr/bin do not work.
FULL = (
    "/usr/lib/chromium/chromium",  # Debian, Arch, Alpine
    "/usr/lib/chromium-browser/chromium-browser",  # Raspberry Pi OS
    "/usr/lib64/chromium-browser/chromium-browser",  # Fedora
    "/usr/lib64/chromium/chromium",  # openSUSE
    "/opt/google/chrome/chrome",
    "/opt/google/chrome-beta/chrome",
    "/opt/microsoft/msedge/msedge",
)
HEADLESS = (
    "/usr/lib/chromium/chromium-headless-shell",  # Debian
    "/usr/lib/chromium/headless_shell",
    "/usr/lib64/chromium-browser/headless_shell",  # Fedora
)
PLAYWRIGHT = (
    "chromium-*/chrome-linux*/chrome",
    "chromium_headless_shell-*/chrome*-linux*/headless_shell",
    "chromium_headless_shell-*/chrome*-linux*/chrome-headless-shell",
)
RELOCATED: dict[Flavor, Path] = {"full": Path("/opt/pageworker/browser"), "shell": Path("/opt/pageworker/shell")}
MEND = (
    "install Chromium (Debian: apt install chromium; Ubuntu, where that is a snap: Google's package"
    " google-chrome-stable) or set browser.executable to its binary"
)
SNAP = Path("/snap")
SNAP_PROGRAM = Path("/usr/bin/snap")
"""What each program in /snap/bin is a link to."""

MEND_FLAVOR: dict[Flavor, str] = {
    "full": "install Chromium (Debian: apt install chromium), or set browser.flavor to auto",
    "shell": "install the headless shell (Debian: apt install chromium-headless-shell), or set browser.flavor to auto",
}


@dataclass(frozen=True)
class BrowserBinary:
    """`executable` is the path inside the sandbox, `source` the path on the host."""

    executable: Path
    source: Path
    bind: Bind


def find_browsers(wanted: Path | None, flavor: FlavorWish = "auto") -> dict[Flavor, BrowserBinary] | HostProblem:
    """The browsers to use: `wanted` alone, or the first one of each flavor that is installed. At least one of them is
    of `flavor`. Otherwise the problem, with its fix."""
    candidates = [wanted] if wanted else _candidates()
    found: dict[Flavor, BrowserBinary] = {}
    for source in (path.resolve() for path in candidates if path.is_file()):
        if (name := flavor_of(source)) not in found:
            binary = _binary(source)
            if isinstance(binary, HostProblem):
                return binary
            found[name] = binary
    looked = str(wanted) if wanted else f"{len(candidates)} usual places, from /usr/lib/chromium on"
    if not found:
        return HostProblem("no browser found", looked, MEND)
    if flavor != "auto" and flavor not in found:
        has = " and ".join(str(each.source) for each in found.values())
        return HostProblem(f"browser.flavor is {flavor}, and there is only {has}", looked, MEND_FLAVOR[flavor])
    return found


def _binary(source: Path) -> BrowserBinary | HostProblem:
    if source == SNAP_PROGRAM or source.is_relative_to(SNAP):
        what = "the browser cannot be used: it is a snap, which only snapd can start, outside of any sandbox"
        return HostProblem(what, str(source), MEND)
    try:
        elf.libraries(source)
    except (OSError, elf.NotElf) as error:
        why = "it is a wrapper script, not the binary" if _is_script(source) else str(error)
        return HostProblem(f"the browser cannot be used: {why}", str(source), MEND)
    folder = source.parent
    public = folder.is_relative_to("/usr") or folder.is_relative_to("/opt")
    inside = folder if public else RELOCATED[flavor_of(source)]
    return BrowserBinary(inside / source.name, source, Bind(folder, inside))


def _candidates() -> list[Path]:
    return [*map(Path, FULL), *map(Path, HEADLESS), *_downloaded()]


def _downloaded() -> list[Path]:
    """What Playwright has downloaded for this user."""
    try:
        own = Path.home() / ".cache" / "ms-playwright"
        return [path for pattern in PLAYWRIGHT for path in sorted(own.glob(pattern), reverse=True)]
    except (RuntimeError, PermissionError):
        # A worker that was root may have a user id without an account, and $HOME of root, which it cannot enter.
        return []


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"
