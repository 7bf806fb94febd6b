"""The ledger against the installed Playwright: no name in it is a slip, and what it does not know is not trusted."""

import inspect

import pytest
from playwright._impl import protocol_channels as channels

from pageworker_runner import ledger
from pageworker_runner.ledger import Mark, mark_of
from pageworker_runner.undo import CONTEXT, PAGE


def commands(kind: str) -> set[str]:
    """What an object of this kind can be told, by the client's own channels."""
    found = inspect.getmembers(getattr(channels, f"{kind}Channel"), inspect.isfunction)
    return {name for name, _ in found if not name.startswith(("_", "on", "off")) or name == "open"}


@pytest.mark.parametrize(
    ("kind", "table"), [("Page", ledger.PAGE), ("BrowserContext", ledger.CONTEXT), ("Tracing", ledger.TRACING)]
)
def test_every_name_is_a_command_of_playwright(kind: str, table: dict[str, Mark]) -> None:
    assert set(table) - commands(kind) == set()


@pytest.mark.parametrize("kind", [*ledger.HARMLESS, *ledger.REFUSED])
def test_every_kind_is_an_object_of_playwright(kind: str) -> None:
    assert hasattr(channels, f"{kind}Channel")


@pytest.mark.parametrize("kind", ["Page", "BrowserContext", "Tracing", "Debugger", "Unheard"])
def test_what_it_does_not_know_is_not_trusted(kind: str) -> None:
    assert mark_of(kind, "somethingNew") is Mark.STUCK


@pytest.mark.parametrize(
    ("kind", "method"),
    [("BrowserType", "launch"), ("Browser", "close"), ("BrowserContext", "close"), ("Browser", "newContext")],
)
def test_what_is_the_hosts_is_refused(kind: str, method: str) -> None:
    assert mark_of(kind, method) is Mark.REFUSED


def test_every_mark_that_can_be_left_can_be_taken_back_or_replaces_the_page() -> None:
    elsewhere = {Mark.NOTHING, Mark.REFUSED, Mark.STUCK, Mark.DISPOSABLE, Mark.PRESSED, Mark.RAISED, Mark.DIALOGS}
    assert set(ledger.PAGE.values()) <= elsewhere | set(PAGE)
    assert {*ledger.CONTEXT.values(), *ledger.TRACING.values()} <= elsewhere | set(CONTEXT)
