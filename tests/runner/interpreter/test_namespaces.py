"""Replaced attributes of modules and classes are found and set back."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pageworker_runner.interpreter.namespaces import MISSING, Namespace, namespaces


def test_what_is_new_gone_or_replaced_is_found_and_set_back() -> None:
    owner = SimpleNamespace(kept=1, replaced=2, gone=3)
    namespace = Namespace(owner, "owner", dict(vars(owner)))
    assert namespace.changed() == {}
    owner.replaced, owner.new = 9, 4
    del owner.gone
    assert namespace.changed() == {"replaced": 9, "gone": MISSING, "new": 4}
    for key in namespace.changed():
        namespace.set(key, namespace.then.get(key, MISSING))
    assert vars(owner) == {"kept": 1, "replaced": 2, "gone": 3}


def test_an_equal_value_is_another_one() -> None:
    owner = SimpleNamespace(values=[1])
    namespace = Namespace(owner, "owner", dict(vars(owner)))
    owner.values = [1]
    # The comparison of a whole namespace takes equal values for the same: it must be fast.
    assert namespace.changed() == {}
    owner.new = 1
    assert set(namespace.changed()) == {"values", "new"}


@pytest.mark.parametrize(
    ("key", "value"), [("submodule", ModuleType("submodule")), ("__annotations__", {}), ("last_value", 1)]
)
def test_what_python_adds_by_itself_is_no_change(key: str, value: Any) -> None:
    owner = SimpleNamespace()
    namespace = Namespace(owner, "sys", {})
    setattr(owner, key, value)
    assert namespace.changed() == {}


def test_the_table_has_functions_classes_and_nothing_that_changes_by_itself() -> None:
    found = {each.name: each for each in namespaces()}
    assert {"json", "builtins", "playwright.async_api.Page", "pageworker.Helpers", "threading.Thread"} <= set(found)
    assert "builtins.int" not in found
    assert not [name for name, each in found.items() if each.changed()]
