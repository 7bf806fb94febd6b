"""`workerctl completion`: scripts that real shells accept."""

import shutil
import subprocess

import pytest

from pageworker_supervisor.cli.app import run


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_the_commands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for word in ("workerctl", "follow", "deadline-seconds", "captcha"):
        assert word in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_it(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    text = script(shell, capsys)
    done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["workerctl", "jo"], {"jobs"}),
        (["workerctl", "jobs", ""], {"list", "follow", "cancel", "retry"}),
        (["workerctl", "jobs", "list", "--sta"], {"--state", "--status"}),
    ],
)
def test_bash_completes(typed: list[str], offered: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(f"'{word}'" for word in typed)
    text = script("bash", capsys) + (
        f"\nCOMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}\n_workerctl\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    )
    done = subprocess.run(["bash", "--norc"], input=text, capture_output=True, text=True, check=True, timeout=60)
    assert offered <= set(done.stdout.split())


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "csh"]) == 2
    assert capsys.readouterr().out == ""
