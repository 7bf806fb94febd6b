"""What install.sh says on another distribution. It runs in a mount namespace where /etc/os-release is another file."""

import hashlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UBUNTU = 'PRETTY_NAME="Ubuntu 24.04 LTS"\nID=ubuntu\nID_LIKE=debian\n'
# An own HOME: a developer may have a browser of Playwright there. No apt-get, and Python packages that are complete:
# nothing may be installed by a test, least of all into the .venv of the tests that run beside it.
SCRIPT = """
mount --bind "$1/os-release" /etc/os-release
mount --bind "$1/opt" /opt
[ ! -d "$1/chromium" ] || mount --bind "$1/chromium" /usr/lib/chromium
mount --bind /bin/false /usr/bin/apt-get
mount --bind "$1/installed" .venv/installed
HOME="$1" exec ./install.sh run
"""


def install(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run install.sh where `folder` has the file os-release and the folder opt."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-euc", SCRIPT, "install", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def ubuntu(tmp_path: Path) -> Path:
    """A host with Ubuntu and no browser."""
    (tmp_path / "os-release").write_text(UBUNTU)
    wanted = b"".join((ROOT / name).read_bytes() for name in ("requirements/run.txt", "setup.cfg"))
    (tmp_path / "installed").write_text(hashlib.sha256(wanted).hexdigest())
    for name in ("opt", "chromium"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_debian_without_chromium_is_to_install_its_package(ubuntu: Path) -> None:
    (ubuntu / "os-release").write_text("ID=debian\n")
    assert install(ubuntu).stdout == "installing: chromium\n"


def test_ubuntu_without_a_browser_is_told_what_to_install_before_anything_is(ubuntu: Path) -> None:
    done = install(ubuntu)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("install.sh: Ubuntu has Chromium as a snap only")
    assert "https://www.google.com/chrome" in line
    assert "docs/distributions.md" in line


def test_ubuntu_with_googles_package_needs_no_chromium(ubuntu: Path) -> None:
    chrome = ubuntu / "opt/google/chrome/chrome"
    chrome.parent.mkdir(parents=True)
    chrome.write_text("")
    chrome.chmod(0o755)
    done = install(ubuntu)
    assert "snap" not in done.stderr
    assert "chromium" not in done.stderr + done.stdout
    assert "Python packages" not in done.stdout
