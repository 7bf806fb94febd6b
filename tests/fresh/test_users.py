"""What each user of a trial types, and what it must see."""

import subprocess
from pathlib import Path

import pytest

from fresh.users import INSTALL_LINE, USERS

ROOT = Path(__file__).parents[2]


def test_only_a_user_without_rights_and_packages_may_be_refused() -> None:
    assert [user.name for user in USERS.values() if user.refused] == ["without"]


@pytest.mark.parametrize(
    ("name", "code", "output", "right"),
    [
        ("root", 0, ["done"], True),
        ("root", 1, [f"{INSTALL_LINE} chromium"], False),
        ("without", 2, [f"{INSTALL_LINE} chromium", "make: *** [Makefile:7: install] Error 1"], True),
        ("without", 0, ["done"], False),
        ("without", 1, ["Permission denied"], False),
        ("without", 1, [f"{INSTALL_LINE} a", f"{INSTALL_LINE} b"], False),
    ],
)
def test_a_user_gets_a_working_program_or_one_line(name: str, code: int, output: list[str], right: bool) -> None:
    assert USERS[name].is_right(code, output) is right


def test_the_line_is_that_of_install_sh() -> None:
    assert f'echo "{INSTALL_LINE}$missing"' in (ROOT / "install.sh").read_text()


def test_a_step_prints_its_output_and_then_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    script = USERS["root"].step("echo out; echo err >&2; exit 3")
    done = subprocess.run(
        ["bash", "-s"],
        input=script,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split("\n") == ["out", "err", "", f"{USERS['root'].mark}3", ""]
