"""Names of settings as TOML writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.config.setting_names import NameInvalid, dotted, flat, is_table, path_of, type_at
from pageworker_supervisor.config.settings import Settings


def test_a_part_with_other_characters_is_quoted() -> None:
    assert dotted(("domains", "*.a.test", "burst")) == 'domains."*.a.test".burst'
    assert path_of('domains."*.a.test".burst') == ("domains", "*.a.test", "burst")
    assert path_of("domains.'*.a.test'.burst") == ("domains", "*.a.test", "burst")


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=4).map(tuple))
def test_a_name_is_read_as_it_was_written(path: tuple[str, ...]) -> None:
    assert path_of(dotted(path)) == path


@pytest.mark.parametrize("name", ["", "a b", "a.", ".a", "a = 1 #", "[a]", 'a"', "a\nb", "a" * 501, "*.test"])
def test_a_text_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        path_of(name)


@given(st.text())
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        found = path_of(text)
    except NameInvalid:
        return
    assert path_of(dotted(found)) == found


def test_the_type_of_a_name() -> None:
    assert type_at(Settings, ("tenants", "acme", "burst"))[1] == 3
    assert type_at(Settings, ("tenants", "acme", "bust"))[1] == 2
    assert type_at(Settings, ("pool", "runners", "x"))[1] == 2
    assert is_table(type_at(Settings, ("pool",))[0])
    assert is_table(type_at(Settings, ("tenants",))[0])
    assert not is_table(type_at(Settings, ("pool", "runners"))[0])


def test_flat_names_every_setting_once() -> None:
    found = flat(Settings())
    assert found[("pool", "runners")] == 4
    assert found[("tenants", "*", "weight")] == 1.0
    assert found[("egress", "hosts")] == {}
