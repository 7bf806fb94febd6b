"""A module is hidden for a block, unless it is imported already."""

import importlib
import sys

import pytest

from pageworker_supervisor.hidden_module import hidden


def test_an_import_fails_within_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with pytest.raises(ModuleNotFoundError), hidden("wave"):
        importlib.import_module("wave")
    assert "wave" not in sys.modules
    importlib.import_module("wave")


def test_what_is_imported_already_stays() -> None:
    with hidden("json"):
        importlib.import_module("json")
    assert sys.modules["json"] is not None
