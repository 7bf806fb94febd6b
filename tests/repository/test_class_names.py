"""A class name stands for one class in the whole repository, tests and benchmarks included."""

from repository.sources import doubled_classes


def test_no_class_name_is_defined_twice() -> None:
    assert doubled_classes() == {}
