"""What of a checkpoint a browser gets: not more than fits, not what its folder has in a newer form, and no nonsense."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.browser.checkpoint import (
    FOLDER_IS_NEWER,
    NOTHING_KNOWN,
    RESTORED,
    UNREADABLE,
    BrowserState,
    FolderTimes,
    KnownOrigins,
    folder_times,
    newer_parts,
    parse_state,
    state_bytes,
    with_emptied,
    with_known,
)

COOKIE = {"name": "user", "value": "anna", "domain": "shop.test", "path": "/"}
STATE = BrowserState([COOKIE], [{"origin": "http://shop.test", "localStorage": []}])


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    assert parse_state(state_bytes(STATE)) == STATE


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"cookies": 1, "origins": []}', b'{"cookies": [1], "origins": []}']
)
def test_what_is_no_checkpoint_is_none(data: bytes) -> None:
    assert parse_state(data) is None


def test_origins_that_do_not_fit_are_left_out_the_largest_first() -> None:
    sizes = {"a": 300, "b": 3000, "c": 30}
    origins: list[dict[str, Any]] = [{"origin": name, "localStorage": "x" * size} for name, size in sizes.items()]
    state = parse_state(state_bytes(BrowserState([COOKIE], origins), 600))
    assert state is not None
    assert {each["origin"] for each in state.origins} == {"a", "c"}
    assert state.cookies == [COOKIE]
    assert state_bytes(BrowserState([COOKIE], origins), 10) == b"", "not even the cookies fit"


def test_what_the_folder_has_in_a_newer_form_stays() -> None:
    assert newer_parts(STATE, 10.0, FolderTimes(9.0, 9.0)) == STATE
    assert newer_parts(STATE, 10.0, FolderTimes(11.0, 9.0)) == BrowserState([], STATE.origins)
    assert newer_parts(STATE, 10.0, FolderTimes(9.0, 11.0)) == BrowserState(STATE.cookies, [])
    assert newer_parts(STATE, 10.0, FolderTimes(10.0, 10.0)) is None
    older = BrowserState(STATE.cookies, STATE.origins, 8.0)
    assert newer_parts(older, 10.0, FolderTimes(9.0, 9.0)) == BrowserState(STATE.cookies, [])
    assert newer_parts(older, 10.0, FolderTimes(9.0, 7.0)) == STATE


def test_only_storage_that_is_older_than_the_cookies_has_a_time_of_its_own() -> None:
    known = KnownOrigins(STATE.origins, 8.0)
    assert b"taken_at" not in state_bytes(STATE), "a state for Playwright has no such key"
    older = with_known(BrowserState(STATE.cookies, []), known)
    assert parse_state(state_bytes(older)) == BrowserState(STATE.cookies, STATE.origins, 8.0)
    assert with_known(BrowserState(STATE.cookies, []), NOTHING_KNOWN) == BrowserState(STATE.cookies, [])


def test_a_known_site_without_storage_is_kept_as_empty() -> None:
    known = KnownOrigins([{"origin": "http://gone.test", "localStorage": [1]}, {"origin": "http://shop.test"}], 8.0)
    emptied = {"origin": "http://gone.test", "localStorage": [], "indexedDB": []}
    assert with_emptied(STATE, known) == BrowserState(STATE.cookies, [*STATE.origins, emptied])


def test_the_times_of_a_folder_are_those_of_its_newest_files(tmp_path: Path) -> None:
    assert folder_times(tmp_path) == FolderTimes(0.0, 0.0)
    times = {"Cookies": 5, "Cookies-journal": 7, "Local Storage/leveldb/1.log": 6, "IndexedDB/x/1.log": 8, "History": 9}
    for name, at in times.items():
        file = tmp_path / "Default" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (at, at))
    assert folder_times(tmp_path) == FolderTimes(7.0, 8.0)


LOGIN = handler(
    """
    await page.goto("http://shop.test/home")
    found = await page.evaluate("[document.cookie, localStorage.getItem('theme')]")
    if payload.get("user"):
        await page.evaluate(
            '''user => {
                document.cookie = `user=${user}; Max-Age=86400`;
                localStorage.setItem("theme", user);
            }''', payload["user"])
    return {"found": found, "pages": len(page.context.pages)}
    """
)
LOGOUT = handler('await page.goto("http://shop.test/home"); await page.evaluate("localStorage.clear()"); return {}')
in_module = pytest.mark.asyncio(loop_scope="module")
"""The loop of the fixture `start`."""
Start = Callable[..., Awaitable[Supervisor]]


async def login(runner: Supervisor, **payload: str) -> Any:
    runner.site.pages["/home"] = SiteAnswer("<title>home</title>")
    return (await runner.run(LOGIN, payload)).data


@in_module
async def test_a_killed_browser_gets_its_login_back(start: Start, profile: Path) -> None:
    first = await start(pages=1)
    await login(first, user="anna")
    checkpoint = await first.checkpoint()
    assert (await login(first))["pages"] == 1, "the driver's own page is closed, and was never seen"
    assert first.retired == []
    first.kill()
    state = parse_state(checkpoint)
    assert state is not None
    assert [cookie["value"] for cookie in state.cookies] == ["anna"]

    second = await start(profile=profile, restore=(checkpoint, 4e9), pages=1)
    assert second.ready is not None
    assert second.ready.evidence["checkpoint"] == RESTORED
    assert await login(second) == {"found": ["user=anna", "anna"], "pages": 1}
    assert await second.stop() == 0

    # A checkpoint from long ago is older than the folder, and bytes that are none change nothing.
    third = await start(profile=profile, restore=(state_bytes(BrowserState([], [])), 1.0), pages=1)
    assert third.ready is not None
    assert third.ready.evidence["checkpoint"] == FOLDER_IS_NEWER
    assert (await login(third))["found"] == ["user=anna", "anna"]


@in_module
async def test_bytes_that_are_no_checkpoint_do_not_keep_a_browser_from_starting(start: Start) -> None:
    runner = await start(restore=(b"x", 4e9), pages=1)
    assert runner.ready is not None
    assert runner.ready.evidence["checkpoint"] == UNREADABLE


@in_module
async def test_a_cookie_that_the_browser_refuses_costs_neither_the_others_nor_the_storage(start: Start) -> None:
    origins: list[dict[str, Any]] = [
        {"origin": "http://shop.test", "localStorage": [{"name": "theme", "value": "anna"}], "indexedDB": []}
    ]
    state = BrowserState([{**COOKIE, "name": "__Host-x"}, {**COOKIE, "expires": 4e9}], origins)
    runner = await start(restore=(state_bytes(state), 4e9), pages=1)
    assert runner.ready is not None
    assert runner.ready.evidence["checkpoint"].startswith("in part: ")
    assert (await login(runner))["found"] == ["user=anna", "anna"]
    # The site ends the login. After a kill, an older snapshot must not bring the entry back.
    await runner.run(LOGOUT)
    left = parse_state(await runner.checkpoint())
    assert left is not None
    assert left.origins == [{"origin": "http://shop.test", "localStorage": [], "indexedDB": []}]
