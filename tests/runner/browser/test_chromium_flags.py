"""Chromium's arguments."""

from pageworker_runner.browser.chromium_flags import DISABLE, DISABLED_FEATURES, arguments


def test_there_is_one_list_of_disabled_features_and_it_comes_last() -> None:
    given = arguments(("PaintHolding", "Translate"))
    assert [each for each in given if each.startswith(DISABLE)] == [given[-1]]
    names = given[-1].removeprefix(DISABLE).split(",")
    assert names[:3] == ["PaintHolding", "Translate", "AutofillServerCommunication"]
    assert len(names) == len(set(names))
    assert set(DISABLED_FEATURES) <= set(names)


def test_the_locale_of_the_options_is_the_browsers_language() -> None:
    assert arguments((), "de-DE")[-3:-1] == ["--lang=de-DE", "--accept-lang=de-DE"]
    assert not any("lang" in each for each in arguments(()))
