"""deploy/systemd/install.sh keeps the releases that are in use. It runs in a mount namespace, with no real Python."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
for folder in opt etc usr/local; do mount --bind "$1/$folder" "/$folder"; done
PATH="$1/programs:$PATH" exec deploy/systemd/install.sh "$1/programs/python"
"""
PYTHON = """#!/bin/sh
case $* in
  --version) echo "$RELEASE" ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
esac
"""
"""In place of a Python and its pip: it makes the folder, and installs nothing."""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The folders that an installation changes. There are settings already."""
    for name in ("opt", "etc/pageworker", "usr/local/bin", "programs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/pageworker/pageworker.toml").touch()
    programs = {"python": PYTHON, **dict.fromkeys(("systemd-sysusers", "systemd-tmpfiles", "systemctl"), "#!/bin/sh\n")}
    for name, text in programs.items():
        program = tmp_path / "programs" / name
        program.write_text(text)
        program.chmod(0o755)
    return tmp_path


def installed(host: Path, release: str) -> Path:
    """Install a release. Returns its folder."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-euc", SCRIPT, "install", str(host)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "RELEASE": release}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    place = host / "opt/pageworker"
    return place / (place / "venv").readlink()


def test_the_release_before_stays_also_after_a_way_back(host: Path) -> None:
    first, second = installed(host, "1"), installed(host, "2")
    assert first != second
    assert installed(host, "1") == first, "the way back"
    third = installed(host, "3")
    # Daemons still run the first one. The second is the newer folder, and nothing runs it.
    assert set((host / "opt/pageworker/releases").iterdir()) == {first, third}


def test_a_second_run_changes_nothing(host: Path) -> None:
    first = installed(host, "1")
    before = (first / "installed").stat().st_mtime_ns
    assert installed(host, "1") == first
    assert (first / "installed").stat().st_mtime_ns == before
