"""Values against the types of the settings, key by key."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from pageworker_supervisor.config.check import MAX_SHOWN, Checker, decode_path, near_miss, show, unknown_setting
from pageworker_supervisor.config.redact import SecretText


class MotorSection(Struct, frozen=True):
    """A section for these tests."""

    count: Annotated[int, Meta(ge=1, le=9)] = 1
    folder: Path | None = None
    names: tuple[str, ...] = ()
    ratios: dict[str, float] = {}
    codes: dict[str, SecretText] = {}


class PlantSettings(Struct, frozen=True):
    """A whole configuration for these tests."""

    motors: MotorSection = MotorSection()
    by_name: dict[str, MotorSection] = {}


def checked(untrusted: dict[str, Any], *, lax: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """The valid values, and what was expected by the key of each mistake."""
    checker = Checker(PlantSettings, lambda path: f"line of {'.'.join(path)}", lax=lax)
    kept = checker.table(PlantSettings, untrusted)
    assert all(problem.source == f"line of {problem.key}" for problem in checker.problems)
    return kept, {problem.key: problem.expected for problem in checker.problems}


def test_valid_values_are_kept_beside_mistakes() -> None:
    kept, wrong = checked({"motors": {"count": 0, "folder": "/x", "names": ["a"], "size": 1}, "by_name": {"a": 3}})
    assert kept == {"motors": {"folder": "/x", "names": ("a",)}, "by_name": {}}
    assert wrong == {
        "motors.count": "a whole number, 1 to 9",
        "motors.size": "the name of a setting",
        "by_name.a": "a table",
    }


@pytest.mark.parametrize(("value", "lax", "valid"), [("5", True, True), ("5", False, False), (5, False, True)])
def test_text_is_a_number_only_in_an_environment_variable(value: object, lax: bool, valid: bool) -> None:
    assert bool(checked({"motors": {"count": value}}, lax=lax)[1]) is not valid


@pytest.mark.parametrize("number", [2**53, 10**30, 1e308, float("inf"), float("-inf"), float("nan")])
def test_a_number_has_a_bound(number: float) -> None:
    assert checked({"motors": {"ratios": {"a": number, "b": 2**53 - 1}}}) == (
        {"motors": {"ratios": {"b": 2**53 - 1}}},
        {"motors.ratios.a": "a number"},
    )


def test_a_text_in_place_of_a_list_gets_the_list_as_a_hint() -> None:
    checker = Checker(PlantSettings, lambda _: "")
    checker.table(PlantSettings, {"motors": {"names": "a"}})
    assert checker.problems[0].hint == 'write a list: ["a"]'
    checker.table(PlantSettings, {"motors": {"names": ["a", 2]}})
    assert checker.problems[1].hint == "element [1]"


def test_a_near_miss_is_looked_for_in_the_section_and_then_in_all_others() -> None:
    assert near_miss(("motors", "cuont"), MotorSection, PlantSettings) == "did you mean `motors.count`?"
    assert near_miss(("folder",), PlantSettings, PlantSettings) == "did you mean `motors.folder`?"
    assert near_miss(("xyz",), PlantSettings, PlantSettings) == ""


def test_a_planned_setting_is_refused_by_name() -> None:
    problem = unknown_setting("f:1", ("status_page", "thumbnails"), MotorSection, PlantSettings)
    assert (problem.key, problem.expected) == ("status_page.thumbnails", "not supported yet")


def test_a_path_is_text_with_the_home_folder_resolved() -> None:
    assert decode_path(Path, "~/x") == Path.home() / "x"
    with pytest.raises(TypeError):
        decode_path(Path, "")
    with pytest.raises(TypeError):
        decode_path(Path, 5)


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_a_shown_value_is_short(value: object) -> None:
    assert len(show(value)) <= MAX_SHOWN + 2


def test_a_shown_value_has_no_password() -> None:
    assert "geheim" not in show("redis://:geheim@host")
    assert show(["redis://:geheim@host"]) == "(hidden)"
    assert show(5) == "5"


def test_everything_that_is_kept_converts() -> None:
    kept, _ = checked({"motors": {"count": 3, "ratios": {"a": 1}}, "by_name": {"b": {"count": 2}}})
    plant = msgspec.convert(kept, PlantSettings, dec_hook=decode_path)
    assert (plant.motors.count, plant.by_name["b"].count) == (3, 2)


@pytest.mark.parametrize("codes", ["geheim", {"door": ["geheim"]}, ["geheim"], {"door": {"geheim": 1}}])
def test_a_secret_of_the_wrong_type_is_not_shown(codes: object) -> None:
    checker = Checker(PlantSettings, lambda _: "")
    checker.table(PlantSettings, {"motors": {"codes": codes}, "by_name": {"a": "geheim"}})
    assert len(checker.problems) == 2
    assert "geheim" not in "".join(problem.render() for problem in checker.problems)


def test_a_value_that_python_cannot_write_is_described() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert show(16**5000) == show(nested) == "a value that is too large to show"
    # Otherwise its deallocation would be as deep.
    while nested:
        nested = nested.pop()
