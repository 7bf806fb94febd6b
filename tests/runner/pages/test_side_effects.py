"""The tables against the installed Playwright: every name in them exists, and what they do not name is not trusted."""

import inspect

import pytest
from playwright._impl import protocol_channels as channels

from pageworker_runner.pages import side_effects
from pageworker_runner.pages.side_effects import SideEffect, side_effect_of


def commands(type: str) -> set[str]:
    """The commands of an object of this type, as Playwright's client sends them."""
    found = inspect.getmembers(getattr(channels, f"{type}Channel"), inspect.isfunction)
    return {name for name, _ in found if not name.startswith(("_", "on", "off")) or name == "open"}


@pytest.mark.parametrize(
    ("type", "table"),
    [
        ("Page", side_effects.PAGE),
        ("BrowserContext", side_effects.CONTEXT),
        ("Tracing", side_effects.TRACING),
        ("LocalUtils", side_effects.LOCAL_UTILS),
    ],
)
def test_every_name_is_a_command_of_playwright(type: str, table: dict[str, SideEffect]) -> None:
    assert set(table) - commands(type) == set()


@pytest.mark.parametrize("type", sorted(side_effects.HARMLESS | side_effects.REFUSED))
def test_every_type_is_an_object_of_playwright(type: str) -> None:
    assert hasattr(channels, f"{type}Channel")


def test_a_screencast_is_refused_only_if_it_is_recorded() -> None:
    assert side_effect_of("Page", "screencastStart", {"record": True}) is SideEffect.REFUSED
    assert side_effect_of("Page", "screencastStart", {"record": False}) is SideEffect.PERMANENT


@pytest.mark.parametrize("type", ["Page", "BrowserContext", "Tracing", "Debugger", "Unheard"])
def test_what_the_tables_do_not_name_cannot_be_undone(type: str) -> None:
    assert side_effect_of(type, "somethingNew") is SideEffect.PERMANENT


@pytest.mark.parametrize(
    ("type", "method"),
    [("BrowserType", "launch"), ("Browser", "close"), ("BrowserContext", "close"), ("Browser", "newContext")],
)
def test_what_belongs_to_the_runner_is_refused(type: str, method: str) -> None:
    assert side_effect_of(type, method) is SideEffect.REFUSED


@pytest.mark.parametrize("command", sorted(side_effects.HOLDS | side_effects.POINTS))
def test_every_input_is_a_command_of_playwright(command: str) -> None:
    type, _, method = command.partition(".")
    assert method in commands(type)
    assert side_effect_of(type, method) is SideEffect.NOTHING


@pytest.mark.parametrize(
    ("url", "effect"),
    [
        ("https://ada:secret@shop.example/", SideEffect.PERMANENT),
        (" HTTP://ada@shop.example", SideEffect.PERMANENT),
        ("https:ada:secret@shop.example/", SideEffect.PERMANENT),
        ("https://shop.example/@ada", SideEffect.NOTHING),
        ("https://shop.example?to=a@b", SideEffect.NOTHING),
        ("about:blank", SideEffect.NOTHING),
    ],
)
def test_an_address_with_a_password_cannot_be_undone(url: str, effect: SideEffect) -> None:
    assert side_effect_of("Frame", "goto", {"url": url}) is effect


@pytest.mark.parametrize("name", ["..", "../", "a/..", "a/../", ".", "/", "/tmp"])
def test_an_upload_does_not_leave_its_folder(name: str) -> None:
    assert side_effect_of("BrowserContext", "createTempFiles", {"rootDirName": name}) is SideEffect.REFUSED


@pytest.mark.parametrize("name", ["sub", "sub..", "..sub", "a/sub", None])
def test_an_upload_with_a_name_of_its_own_costs_the_runner(name: str | None) -> None:
    assert side_effect_of("BrowserContext", "createTempFiles", {"rootDirName": name}) is SideEffect.PERMANENT
