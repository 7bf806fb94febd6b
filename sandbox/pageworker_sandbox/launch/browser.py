"""Finds the browser binary where distributions and vendors install it."""

from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch import elf
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.mounts import Bind

# These are binaries. The shell scripts in /usr/bin do not work. The full browser comes first: it applies the
# enterprise policy, the headless shell does not.
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
RELOCATED = Path("/opt/pageworker/browser")
MEND = "install Chromium (Debian: apt install chromium) or set browser.executable to its binary"


@dataclass(frozen=True)
class BrowserBinary:
    """`executable` is the path inside the sandbox, `source` the path on the host."""

    executable: Path
    source: Path
    bind: Bind


def find_browser(wanted: Path | None) -> BrowserBinary | HostProblem:
    """The browser to use: `wanted`, or the first one that is installed. Otherwise the problem, with its fix."""
    candidates = [wanted] if wanted else _candidates()
    source = next((path for path in candidates if path.is_file()), None)
    if source is None:
        looked = str(wanted) if wanted else f"{len(candidates)} usual places, from {FULL[0]} on"
        return HostProblem("no browser found", looked, MEND)
    source = source.resolve()
    try:
        elf.libraries(source)
    except (OSError, elf.NotElf) as error:
        why = "it is a wrapper script, not the binary" if _is_script(source) else str(error)
        return HostProblem(f"the browser cannot be used: {why}", str(source), MEND)
    folder = source.parent
    public = folder.is_relative_to("/usr") or folder.is_relative_to("/opt")
    inside = folder if public else RELOCATED
    return BrowserBinary(inside / source.name, source, Bind(folder, inside))


def _candidates() -> list[Path]:
    own = Path.home() / ".cache" / "ms-playwright"
    downloaded = [path for pattern in PLAYWRIGHT for path in sorted(own.glob(pattern), reverse=True)]
    return [*map(Path, FULL), *map(Path, HEADLESS), *downloaded]


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"
