"""A label has the known values first, then a limited number of new ones."""

from pageworker_supervisor.telemetry.label_values import OTHER, LabelValues


def test_names_beyond_the_limit_are_one_value() -> None:
    values = LabelValues(["b", "a"], limit=3)
    assert [values.of(name) for name in ("a", "c", "d", "c")] == ["a", "c", OTHER, "c"]


def test_a_name_that_is_not_to_be_learned_takes_no_place() -> None:
    values = LabelValues(["a"], limit=2)
    assert [values.of("b", learn=False), values.of("c"), values.of("b")] == [OTHER, "c", OTHER]


def test_names_that_are_known_later_take_the_places_that_are_left() -> None:
    values = LabelValues([], limit=2)
    values.know(["c", "b", "a"])
    assert [values.of(name) for name in ("a", "b", "c")] == ["a", "b", OTHER]
