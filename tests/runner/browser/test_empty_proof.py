"""What a runner tells of its ephemeral browser context, before it has a module."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pw_runner.bundles import handler
from pw_runner.supervisor import Supervisor

from pageworker_runner.browser.empty_proof import files_in

COOKIE = {"name": "sid", "value": "1", "url": "http://shop.test/", "expires": 4_000_000_000}
REMEMBER = handler(f"await page.context.add_cookies([{COOKIE!r}])\nreturn {{}}")
NAMES = ("profile_files", "cookies", "stored_origins")


def proof(runner: Supervisor) -> list[str | None]:
    assert runner.ready is not None
    return [runner.ready.evidence.get(name) for name in NAMES]


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_new_context_is_empty(runner: Supervisor) -> None:
    assert proof(runner) == ["0", "0", "0"]


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_what_an_earlier_browser_left_is_told(start: Callable[..., Awaitable[Supervisor]], profile: Path) -> None:
    first = await start(profile=profile, persistent=True, pages=1)
    assert proof(first) == [None] * 3, "of a profile, nothing is promised"
    await first.run(REMEMBER)
    await first.stop()
    files, cookies, _ = proof(await start(profile=profile, persistent=False, pages=1))
    assert int(files or 0) > 0
    assert cookies == "1"


def test_a_folder_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    assert files_in(tmp_path / "none") == files_in(tmp_path) == 0
    (tmp_path / "Default").mkdir()
    assert files_in(tmp_path) == 1
