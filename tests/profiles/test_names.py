"""Ids and file names, one to one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_profiles import InvalidName
from pageworker_profiles.names import profile_id, profile_name, tenant_name

IDS = st.text("abzAZ09._-", min_size=1, max_size=128)


@given(IDS)
def test_a_name_is_safe_and_leads_back(given_id: str) -> None:
    name = profile_name(given_id)
    assert profile_id(name) == given_id
    assert name == name.lower()
    assert not name.startswith(".")
    assert "/" not in name
    assert len(name) <= 255


@given(IDS, IDS)
def test_different_ids_have_different_names_even_without_case(one: str, two: str) -> None:
    assert (profile_name(one).lower() == profile_name(two).lower()) == (one == two)


@given(st.text("abAB.=~-_234567/", max_size=40))
def test_a_name_that_no_id_has_is_no_profile(name: str) -> None:
    found = profile_id(name)
    assert found is None or profile_name(found) == name


@pytest.mark.parametrize("given_id", [".", "..", ".hidden", "...", "A" * 128, "a." * 64])
def test_odd_ids(given_id: str) -> None:
    assert profile_id(profile_name(given_id)) == given_id


@pytest.mark.parametrize("untrusted", ["", "a/b", "a\0", "a\n", "ä", "a" * 129, "a b", "=a", "~a"])
def test_what_is_no_id(untrusted: str) -> None:
    with pytest.raises(InvalidName):
        profile_name(untrusted)
    with pytest.raises(InvalidName):
        tenant_name(untrusted)


def test_tenants() -> None:
    assert tenant_name("acme-1") == "acme-1"
    for untrusted in ("Acme", "..", ".scratch", "a_b", "a" * 64):
        with pytest.raises(InvalidName):
            tenant_name(untrusted)
