"""How mistakes in a configuration are shown."""

import pytest

from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem

ONE = ConfigProblem("pageworker.toml:3", "pool.pages", '"four"', "a whole number", "write it without quotes")


def test_a_mistake_shows_where_what_and_how_to_fix_it() -> None:
    assert ONE.render().splitlines() == [
        "  pageworker.toml:3  pool.pages",
        '    found     "four"',
        "    expected  a whole number",
        "    hint      write it without quotes",
    ]


def test_what_is_not_known_is_left_out() -> None:
    assert ConfigProblem("VARIABLE", "", "", "valid TOML").render() == "  VARIABLE\n    expected  valid TOML"


def test_foreign_text_adds_no_lines() -> None:
    assert len(ConfigProblem("f:1\n", "a\nb", "c\x1b[2J\nd", "e").render().splitlines()) == 3


@pytest.mark.parametrize(("count", "head"), [(1, "1 mistake in"), (2, "2 mistakes in")])
def test_every_mistake_is_listed(count: int, head: str) -> None:
    invalid = ConfigInvalid((ONE,) * count)
    assert str(invalid).startswith(head)
    assert str(invalid).count("pool.pages") == count
