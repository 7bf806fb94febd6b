"""`workerctl module test` refuses by name what it cannot run. tests/author/test_examples.py runs tests."""

from pathlib import Path

import pytest

from pageworker_supervisor.cli import module_tests
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.module_tests import run_tests
from pageworker_supervisor.cli.output import CommandError, CommandExit


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "acme.prices"
    (folder / "tests").mkdir(parents=True)
    (folder / "module.toml").touch()
    return folder


def test_a_folder_without_tests_is_refused(module: Path) -> None:
    (module / "tests").rmdir()
    with pytest.raises(CommandError, match="has no folder tests"):
        run_tests(module)
    (module / "module.toml").unlink()
    with pytest.raises(CommandError, match=r"has no module\.toml"):
        run_tests(module)
    with pytest.raises(CommandError, match="name the folder"):
        run_tests()


def test_secrets_are_for_recording(module: Path) -> None:
    with pytest.raises(CommandError, match="--secrets needs --record") as caught:
        run_tests(module, secrets=module / "local.toml")
    assert caught.value.exit_code is CommandExit.USAGE


def test_pytest_has_to_be_installed(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_tests, "find_spec", lambda _: None)
    with pytest.raises(CommandError, match="pytest is not installed") as caught:
        run_tests(module)
    assert "pip install pytest" in caught.value.mend


def test_the_exit_code_is_that_of_the_tests(module: Path, capfd: pytest.CaptureFixture[str]) -> None:
    test = module / "tests" / "test_module.py"
    test.write_text("def test_one():\n    pass\n\n\ndef test_two():\n    assert not 'two'\n")
    assert run(["module", "test", str(module), "--select", "one"]) == 0
    assert run_tests(module) is CommandExit.FAILED
    assert "1 failed, 1 passed" in capfd.readouterr().out
    test.write_text("")
    with pytest.raises(CommandError, match="there is no test"):
        run_tests(module)
