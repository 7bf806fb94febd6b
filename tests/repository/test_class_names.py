"""A class name stands for one class in the whole repository, tests and benchmarks included."""

from collections import defaultdict

from repository.sources import class_definitions, relative


def test_no_class_name_is_defined_twice() -> None:
    files: dict[str, list[str]] = defaultdict(list)
    for name, file in class_definitions():
        files[name].append(relative(file))
    assert {name: found for name, found in files.items() if len(found) > 1} == {}
