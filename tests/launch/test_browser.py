"""Finding the browser's binary: which of several, where it appears inside, and files that are none."""

import os
import shutil
from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.flavor import Flavor, FlavorWish
from pageworker_sandbox.launch import browser, elf
from pageworker_sandbox.launch.browser import BrowserBinary, find_browsers
from pageworker_sandbox.launch.errors import HostProblem


def found_by(wanted: Path | None, flavor: FlavorWish = "auto") -> dict[Flavor, BrowserBinary]:
    found = find_browsers(wanted, flavor)
    assert isinstance(found, dict), found
    return found


@pytest.mark.browser
def test_both_flavors_are_found_and_a_named_browser_is_the_only_one() -> None:
    assert {name: each.source for name, each in found_by(None).items()} == {
        "full": sandboxes.FULL,
        "shell": sandboxes.HEADLESS,
    }
    assert list(found_by(sandboxes.HEADLESS)) == ["shell"]
    assert list(found_by(sandboxes.FULL)) == ["full"]


@pytest.mark.browser
def test_a_wanted_flavor_that_is_not_there_is_a_problem_with_its_fix() -> None:
    assert list(found_by(sandboxes.FULL, "full")) == ["full"]
    missing = find_browsers(sandboxes.FULL, "shell")
    assert isinstance(missing, HostProblem)
    assert missing.what == f"browser.flavor is shell, and there is only {sandboxes.FULL}"
    assert "apt install chromium-headless-shell" in missing.mend


@pytest.mark.browser
def test_a_browser_in_a_public_folder_stays_where_it_is() -> None:
    found = found_by(sandboxes.HEADLESS)["shell"]
    assert found.executable == found.source == sandboxes.HEADLESS
    assert found.bind.source == found.bind.inside == sandboxes.HEADLESS.parent


def test_a_browser_in_a_private_folder_gets_another_path(tmp_path: Path) -> None:
    places = {"chrome": "/opt/pageworker/browser/chrome", "headless_shell": "/opt/pageworker/shell/headless_shell"}
    for name, inside in places.items():
        program = tmp_path / f"secret-{name}" / name
        program.parent.mkdir()
        shutil.copy(Path("/bin/sh").resolve(), program)
        (found,) = found_by(program).values()
        assert found.executable == Path(inside)
        assert found.bind.source == program.parent


def test_a_downloaded_browser_is_found_newest_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("1000", "2000"):
        folder = tmp_path / f".cache/ms-playwright/chromium-{version}/chrome-linux"
        folder.mkdir(parents=True)
        (folder / "chrome").touch()
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(browser, "FULL", ())
    monkeypatch.setattr(browser, "HEADLESS", ())
    monkeypatch.setattr(elf, "libraries", lambda path: [])
    assert "chromium-2000" in str(found_by(None)["full"].source)


def test_a_user_without_account_and_home_has_no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of root has no $HOME, and the worker that it becomes no account."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2_100_000_000)
    monkeypatch.setattr(browser, "FULL", ())
    monkeypatch.setattr(browser, "HEADLESS", ())
    missing = find_browsers(None)
    assert isinstance(missing, HostProblem)
    assert missing.what == "no browser found"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_home_folder_that_the_user_cannot_enter_has_no_downloads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker that was root still has $HOME of root."""
    (tmp_path / ".cache/ms-playwright/chromium-1").mkdir(parents=True)
    tmp_path.chmod(0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(browser, "FULL", ())
    monkeypatch.setattr(browser, "HEADLESS", ())
    os.seteuid(65534)
    try:
        missing = find_browsers(None)
    finally:
        os.seteuid(0)
    assert isinstance(missing, HostProblem)


@pytest.mark.parametrize(("content", "told"), [("#!/bin/sh\n", "wrapper script"), ("text", "not a 64-bit ELF")])
def test_a_file_that_is_no_binary_is_refused_with_its_fix(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "chrome").write_text(content)
    found = find_browsers(tmp_path / "chrome")
    assert isinstance(found, HostProblem)
    assert told in found.what
    assert "browser.executable" in found.mend


@pytest.mark.parametrize(
    "target", [browser.SNAP_PROGRAM, browser.SNAP / "chromium/current/usr/lib/chromium-browser/chrome"]
)
def test_a_snap_is_refused(target: Path) -> None:
    problem = browser._binary(target)
    assert isinstance(problem, HostProblem)
    assert "it is a snap" in problem.what
    assert "google-chrome-stable" in problem.mend
