"""Each setting reads what can be compared later, and writes it back."""

import asyncio
import sys
from types import ModuleType

import pytest

from pageworker_runner.interpreter.namespaces import MISSING
from pageworker_runner.interpreter.settings import fake_modules, settings


async def test_an_unchanged_setting_reads_the_same_and_may_be_written() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(int)
    found = settings(loop)
    names = [each.name for each in found]
    assert len(names) == len(set(names))
    for each in found:
        before = each.read()
        assert each.read() == before, each.name
        if each.name not in ("signal timers", "tracemalloc"):
            each.write(before)
            assert each.read() == before, each.name


def test_only_modules_that_no_import_made_are_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict(sys.modules)
    assert fake_modules(known) == {}
    fake = ModuleType("left")
    monkeypatch.setitem(sys.modules, "left", fake)
    monkeypatch.setitem(sys.modules, "left.below", ModuleType("left.below"))
    monkeypatch.setitem(sys.modules, "json", fake)
    monkeypatch.delitem(sys.modules, "csv", raising=False)
    expected = {"left": fake, "json": fake} | ({"csv": MISSING} if "csv" in known else {})
    assert fake_modules(known) == expected
