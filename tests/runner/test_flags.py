"""Chromium's arguments."""

from pageworker_runner.chromium_flags import DISABLE, arguments, playwright_disables


def test_playwrights_own_list_is_found_in_the_installed_driver() -> None:
    found = playwright_disables()
    assert {"PaintHolding", "MediaRouter", "HttpsUpgrades", "DestroyProfileOnBrowserClose"} <= set(found)
    assert all(name.isidentifier() for name in found)


def test_there_is_one_list_of_disabled_features_and_it_comes_last() -> None:
    given = arguments(("PaintHolding",), ("--lang=de", DISABLE + "Mine,PaintHolding"))
    assert [each for each in given if each.startswith(DISABLE)] == [given[-1]]
    assert given[-1].startswith(DISABLE + "PaintHolding,RenderDocument,")
    assert given[-1].endswith(",Mine")
    assert "--lang=de" in given
