"""Which flags are on for a job."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.flag_settings import FlagSettings
from pageworker_supervisor.config.flags import flags_for, percentile
from pageworker_supervisor.config.load import read_local

NAMES = st.text(max_size=30)


def is_on(flag: FlagSettings, tenant_id: str = "acme", job_id: str = "j") -> bool:
    return flags_for({"new_cart": flag}, tenant_id, job_id)["new_cart"]


def test_a_flag_is_off_until_it_is_on() -> None:
    assert not is_on(FlagSettings())
    assert is_on(FlagSettings(on=True))
    assert flags_for({}, "acme", "j") == {}


def test_a_flag_is_on_for_its_tenants() -> None:
    flag = FlagSettings(on=True, tenants=("acme", "b-*"))
    assert [is_on(flag, tenant) for tenant in ("acme", "b-1", "acme-2", "c")] == [True, True, False, False]


@given(NAMES, NAMES, NAMES)
def test_a_percentile_is_a_share(name: str, tenant_id: str, job_id: str) -> None:
    assert 0 <= percentile(name, tenant_id, job_id) < 100
    assert not is_on(FlagSettings(on=True, percent=0), tenant_id, job_id)
    assert is_on(FlagSettings(on=True, percent=100), tenant_id, job_id)


@given(NAMES, NAMES, st.floats(0, 100), st.floats(0, 100))
def test_a_larger_share_holds_a_smaller_one(tenant_id: str, job_id: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if is_on(FlagSettings(on=True, percent=small), tenant_id, job_id):
        assert is_on(FlagSettings(on=True, percent=large), tenant_id, job_id)


def test_about_as_many_jobs_as_the_share_says() -> None:
    flag = FlagSettings(on=True, percent=25)
    on = sum(is_on(flag, "acme", f"j{number}") for number in range(4000))
    assert 900 < on < 1100


def test_a_share_of_tenants_is_the_same_for_all_their_jobs() -> None:
    flag = FlagSettings(on=True, percent=50, per="tenant")
    seen = {tenant: {is_on(flag, tenant, f"j{number}") for number in range(20)} for tenant in map(str, range(200))}
    assert all(len(values) == 1 for values in seen.values())
    assert 60 < sum(values == {True} for values in seen.values()) < 140


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[flags.New]\non = true\n", "first a letter"),
        ('[flags.a]\ntenants = ["Acme"]\n', "globs of tenants"),
        ("[flags.a]\npercent = 101\n", "0 to 100"),
        ("".join(f"[flags.f{number}]\n" for number in range(201)), "at most 200"),
    ],
)
def test_a_wrong_flag_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "pageworker.toml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid, match=words):
        read_local(file, {}).settings()
