"""The versions that a runner keeps: never more than it may, and always the latest used."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.runners.runner_connection import MAX_VERSIONS_PER_MODULE, LoadedModules

VERSIONS = [f"1.0.{number}" for number in range(6)]


def test_the_least_recently_used_version_goes_first() -> None:
    modules = LoadedModules(max_versions=2)
    assert modules.add("shop.product", "1.0.0", 10) == []
    assert modules.add("shop.product", "2.0.0", 10) == []
    assert modules.use("shop.product", "1.0.0")
    assert modules.add("shop.account", "1.0.0", 10) == [("shop.product", "2.0.0")]
    assert not modules.use("shop.product", "2.0.0")
    assert modules.use("shop.product", "1.0.0")


def test_as_many_go_as_make_space_and_the_latest_stays_however_large_it_is() -> None:
    modules = LoadedModules(max_bytes=100)
    assert modules.add("a", "1.0.0", 40) == []
    assert modules.add("b", "1.0.0", 40) == []
    assert modules.add("c", "1.0.0", 500) == [("a", "1.0.0"), ("b", "1.0.0")]
    assert modules.use("c", "1.0.0")


def test_few_versions_of_one_module_stay() -> None:
    modules = LoadedModules()
    assert modules.add("other", "1.0.0", 1) == []
    added = [modules.add("m", version, 1) for version in VERSIONS[:MAX_VERSIONS_PER_MODULE]]
    assert added == [[]] * MAX_VERSIONS_PER_MODULE
    assert modules.use("m", VERSIONS[0])
    assert modules.add("m", "2.0.0", 1) == [("m", VERSIONS[1])], "the one that was not used for the longest time"
    assert modules.use("other", "1.0.0")


@given(st.lists(st.tuples(st.sampled_from(VERSIONS), st.integers(0, 60)), max_size=40))
def test_what_the_runner_holds_is_what_is_noted_and_stays_within_both_bounds(jobs: list[tuple[str, int]]) -> None:
    modules = LoadedModules(max_versions=3, max_bytes=100)
    in_the_runner: dict[str, int] = {}
    for version, size in jobs:
        if modules.use("m", version):
            assert version in in_the_runner
            continue
        assert version not in in_the_runner
        in_the_runner[version] = size
        for _, unloaded in modules.add("m", version, size):
            assert unloaded != version
            del in_the_runner[unloaded]
        assert len(in_the_runner) <= 3
        assert sum(in_the_runner.values()) <= 100 or len(in_the_runner) == 1
