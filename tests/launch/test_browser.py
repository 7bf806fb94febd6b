"""Finding the browser's binary: which of several, where it appears inside, and files that are none."""

import shutil
from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.launch import browser, elf
from pageworker_sandbox.launch.browser import BrowserBinary, find_browser
from pageworker_sandbox.launch.errors import HostProblem


@pytest.mark.browser
def test_the_full_browser_comes_before_the_headless_shell() -> None:
    found = find_browser(None)
    assert isinstance(found, BrowserBinary)
    assert found.source == sandboxes.FULL


@pytest.mark.browser
def test_a_browser_in_a_public_folder_stays_where_it_is() -> None:
    found = find_browser(sandboxes.HEADLESS)
    assert isinstance(found, BrowserBinary)
    assert found.executable == found.source == sandboxes.HEADLESS
    assert found.bind.source == found.bind.inside == sandboxes.HEADLESS.parent


def test_a_browser_in_a_private_folder_gets_another_path(tmp_path: Path) -> None:
    program = tmp_path / "secret-project" / "chrome"
    program.parent.mkdir()
    shutil.copy(Path("/bin/sh").resolve(), program)
    found = find_browser(program)
    assert isinstance(found, BrowserBinary)
    assert found.executable == Path("/opt/pageworker/browser/chrome")
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
    found = find_browser(None)
    assert isinstance(found, BrowserBinary)
    assert "chromium-2000" in str(found.source)


@pytest.mark.parametrize(("content", "told"), [("#!/bin/sh\n", "wrapper script"), ("text", "not a 64-bit ELF")])
def test_a_file_that_is_no_binary_is_refused_with_its_fix(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "chrome").write_text(content)
    found = find_browser(tmp_path / "chrome")
    assert isinstance(found, HostProblem)
    assert told in found.what
    assert "browser.executable" in found.mend
