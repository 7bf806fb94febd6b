"""What a host is told whose AppArmor keeps user namespaces from programs without a profile; the shipped profile."""

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from pageworker_sandbox.launch import apparmor
from pageworker_sandbox.launch.checks import check_apparmor
from pageworker_sandbox.launch.self_test import mend_for

ROOT = Path(__file__).parents[2]
LOAD = ROOT / "deploy" / "apparmor" / "load.sh"


@pytest.fixture
def restricted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A kernel that restricts, as Ubuntu's; returns the file with the label of this process, which has no profile."""
    restriction, label = tmp_path / "restriction", tmp_path / "label"
    restriction.write_text("1\n")
    label.write_text("unconfined\n")
    monkeypatch.setattr(apparmor, "RESTRICTION", restriction)
    monkeypatch.setattr(apparmor, "LABELS", (tmp_path / "no such file", label))
    return label


@pytest.mark.parametrize("value", ["1\n", "0\n", None])
def test_only_the_value_1_restricts(restricted: Path, value: str | None) -> None:
    apparmor.RESTRICTION.unlink()
    if value is not None:
        apparmor.RESTRICTION.write_text(value)
    assert apparmor.restricts_user_namespaces() is (value == "1\n")


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("unconfined\n", None),
        ("unconfined\0", None),
        ("", None),
        ("pageworker (unconfined)\n", "pageworker"),
        ("bwrap (enforce)", "bwrap"),
    ],
)
def test_the_profile_is_read_without_its_mode(restricted: Path, text: str, profile: str | None) -> None:
    restricted.write_text(text)
    assert apparmor.profile_of_this_process() == profile


def test_each_failure_of_a_sandbox_names_the_profile_to_install(restricted: Path) -> None:
    """AppArmor lets bubblewrap begin: a later step fails, with the words of another cause."""
    for error in ("setting up uid map: Permission denied", "loopback: Failed RTM_NEWADDR", "Can't mount proc"):
        assert "sudo deploy/apparmor/load.sh" in mend_for(error)
    restricted.write_text("mine (enforce)")
    assert "profile mine" in mend_for("setting up uid map: Permission denied")


def test_an_unrestricted_host_keeps_its_fix(restricted: Path) -> None:
    apparmor.RESTRICTION.write_text("0")
    assert "unmask=ALL" in mend_for("Can't mount proc")
    assert "AppArmor" not in mend_for("setting up uid map: Permission denied")


@pytest.mark.sandbox
def test_doctor_says_that_apparmor_restricts_and_whether_that_matters(restricted: Path) -> None:
    check = check_apparmor()
    assert check.ok, "bubblewrap works here, whatever the file says"
    assert "this process has no profile" in check.found


@pytest.mark.sandbox
def test_doctor_names_the_profile_if_no_namespace_can_be_made(
    restricted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        import_module("pageworker_sandbox.launch.checks"), "find_bubblewrap", lambda: Path("/bin/false")
    )
    check = check_apparmor()
    assert not check.ok
    assert check.mend == apparmor.INSTALL_PROFILE


def test_the_profile_attaches_to_the_programs_of_this_installation(tmp_path: Path) -> None:
    folder = tmp_path / "work-er_1.0"
    (folder / "deploy").mkdir(parents=True)
    shutil.copytree(LOAD.parent, folder / "deploy" / "apparmor")
    printed = subprocess.run(
        [folder / "deploy/apparmor/load.sh", "--print"], capture_output=True, text=True, check=True
    )
    releases = "/opt/pageworker/releases/*/bin"  # of `install.sh system`
    assert f"@{{pageworker_bin}} = {folder}/.venv/bin {releases}\n" in printed.stdout
    assert "prefix=/opt/pageworker\n" in (ROOT / "deploy" / "systemd" / "install.sh").read_text()
    programs = re.search(r"profile pageworker @\{pageworker_bin\}/\{([\w,]+)\}", printed.stdout)
    assert programs is not None
    console = (ROOT / "setup.cfg").read_text().partition("console_scripts =")[2].partition("\npytest11")[0]
    scripts = re.findall(r"^    (\w+) = pageworker_", console, re.MULTILINE)
    assert sorted(programs[1].split(",")) == sorted(scripts)


def test_a_folder_whose_name_would_change_the_profile_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a, b"
    shutil.copytree(LOAD.parent, folder / "deploy" / "apparmor")
    ended = subprocess.run([folder / "deploy/apparmor/load.sh"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "move" in ended.stderr


def test_the_parser_of_apparmor_accepts_the_profile(tmp_path: Path) -> None:
    # Debian installs it in /sbin, which an ordinary user may not have in PATH.
    parser = shutil.which("apparmor_parser") or "/sbin/apparmor_parser"
    version = (
        subprocess.run([parser, "--version"], capture_output=True, text=True, check=False)
        if Path(parser).exists()
        else None
    )
    if version is None or not re.search(r"version [4-9]", version.stdout):
        pytest.skip("needs apparmor_parser 4.0 or later: Debian 12's does not know `userns`")
    done = subprocess.run([parser, "-Q", "-K", LOAD.parent / "pageworker"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
