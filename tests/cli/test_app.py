"""The root command: quick help, usage errors, exit codes."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App

from pageworker_supervisor.cli import app as root
from pageworker_supervisor.cli.output import CommandError, CommandExit, table


def test_help_imports_no_command() -> None:
    program = (
        "import sys; from pageworker_supervisor.cli.app import run; code = run(['--help']);"
        "heavy = {'nacl', 'redis', 'obstore', 'playwright', 'pageworker_supervisor.cli.module'} & set(sys.modules);"
        "sys.exit(code or len(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command, _, line in root.COMMANDS:
        assert command in done.stdout
        assert line[:40] in done.stdout


@pytest.mark.parametrize("command", [name for name, _, _ in root.COMMANDS])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run([command, "--help"]) == 0
    assert "Usage: workerctl" in capsys.readouterr().out


def test_the_old_name_of_a_command_works_and_is_not_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["resume", "--help"]) == 0
    assert "undrain" in capsys.readouterr().out
    root.run(["--help"])
    assert "resume" not in capsys.readouterr().out


@pytest.mark.parametrize("command", root.OLD_OPTIONS)
def test_the_old_name_of_an_option_is_not_listed(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run([*command, "--help"]) == 0
    listed = capsys.readouterr().out
    assert "--why" not in listed
    assert "--reason" in listed


@pytest.mark.parametrize("words", [["--why", "sale"], ["--why=sale"]])
def test_the_old_name_of_an_option_works(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["config", "set", "pool.runners=3", *words, "--config", "/none.toml"]) == 2
    assert "/none.toml" in capsys.readouterr().err, "all options were read"


def test_what_follows_a_double_dash_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["config", "set", "--", "pool.runners=3", "--why", "sale"]) == 2
    assert "--reason is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["key", "nonsense"], ["key", "new"], ["key", "list", "--jsn"], ["module", "pack"]]
)
def test_wrong_usage_is_2_and_leaves_stdout_alone(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["config", "set", "pool.runners=3"], "config set: --reason is missing"),
        (["module", "pack"], "module pack: FOLDER is missing"),
        (["config", "set", "pool.runners=3", "--reason"], "--reason requires an argument"),
        (["jobs", "nonsense"], "jobs: `nonsense` is too much"),
    ],
)
def test_a_usage_error_says_what_is_wrong(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("code", list(CommandExit))
def test_a_command_ends_with_its_exit_code(code: CommandExit, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App(name="workerctl", result_action="return_value", exit_on_error=False)

    @app.command
    def returns() -> CommandExit:
        return code

    @app.command
    async def raises() -> None:
        raise CommandError("it was so", "do this", code)

    monkeypatch.setattr(root, "app", app)
    assert root.run(["returns"]) == code
    assert root.run(["raises"]) == code


def test_an_error_goes_to_stderr_with_its_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = App(name="workerctl", result_action="return_value", exit_on_error=False)

    @app.default
    def fails() -> None:
        raise CommandError("it was so", "do this")

    monkeypatch.setattr(root, "app", app)
    assert root.run([]) == 1
    assert capsys.readouterr() == ("", "workerctl: it was so\n  do this\n")


def test_a_closed_pipe_causes_no_traceback() -> None:
    done = subprocess.run(
        f"{Path(sys.executable).with_name('workerctl')} --help | true; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_the_console_script_collects_garbage_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    before = gc.get_threshold()
    monkeypatch.setattr(root, "run", lambda: gc.get_threshold()[0])
    try:
        with pytest.raises(SystemExit) as ended:
            root.main()
    finally:
        gc.set_threshold(*before)
    assert ended.value.code == root.NEW_OBJECTS > before[0]


def test_tables_are_aligned() -> None:
    assert table(("a", "long"), [("xyz", 1), ("", "")]) == "a    long\nxyz  1\n"
