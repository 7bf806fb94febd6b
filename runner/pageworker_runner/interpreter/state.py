"""The interpreter's state before the first job, and the way back to it after each.

What a module sets while it is imported counts for its own attempts: it is set again when one begins. What it sets later
is set back. Jobs that run at the same time share the interpreter: what may be another job's is set back after that one.
"""

import asyncio
import faulthandler
import locale
import random
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pageworker_runner.interpreter.namespaces import MISSING, Namespace, namespaces
from pageworker_runner.interpreter.settings import Setting, fake_modules, settings


@dataclass(frozen=True)
class SettingChange:
    """What a module has set: a setting, or an attribute of a namespace."""

    name: str
    owner: Setting | Namespace
    key: str
    value: Any

    def apply(self) -> None:
        """Set it again."""
        if isinstance(self.owner, Namespace):
            self.owner.set(self.key, self.value)
        else:
            self.owner.write(self.value)

    def equals(self, other: "SettingChange") -> bool:
        """Whether both set the same to the same."""
        return self.name == other.name and (self.value is other.value or bool(self.value == other.value))


class InterpreterState:
    """What jobs share in the interpreter. See pool.SharedState."""

    def __init__(self) -> None:
        self._settings: list[tuple[Setting, Any]] = []
        self._namespaces: list[Namespace] = []
        self._modules: dict[str, ModuleType] = {}
        self._by_import: list[SettingChange] = []
        """What imports have set, of all attempts since the last time that everything was set back."""

    def settle(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, the state is compared with what it is now."""
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        self._settings = [(each, each.read()) for each in settings(loop)]
        self._namespaces = namespaces()
        self._modules = dict(sys.modules)

    def changes(self) -> list[SettingChange]:
        """What is different now."""
        return list(self._changes())

    def imported(self, before: Iterable[SettingChange]) -> tuple[SettingChange, ...]:
        """A module has been imported: what is different now and was not `before`."""
        known = list(before)
        found = tuple(each for each in self._changes() if not any(map(each.equals, known)))
        self._by_import.extend(found)
        return found

    def begin(self, by_import: Iterable[SettingChange]) -> None:
        """An attempt begins: set what its module has set while it was imported."""
        for change in by_import:
            change.apply()
            self._by_import.append(change)

    def unpatch(self) -> None:
        """Set back what an ended job has replaced in modules and classes, before the runner's own code uses it."""
        for each in self._namespaces:
            for key in each.changed():
                each.set(key, each.then.get(key, MISSING))

    def take_back(self, *, alone: bool) -> str | None:
        """Set back what an ended job has changed. Returns why the runner must be retired, or None.

        `alone`: no other job runs. Otherwise nothing is set back, since it may be the other job's.
        """
        if not alone:
            return self._why_not_shared()
        # Not compared: each use changes it.
        random.seed()
        faulthandler.cancel_dump_traceback_later()
        self._by_import.clear()
        written = [(setting, then) for setting, then in self._settings if setting.read() != then]
        for setting, then in written:
            # A refused write leaves a difference, which is found below.
            with suppress(OSError, RuntimeError, ValueError, locale.Error):
                setting.write(then)
        self.unpatch()
        self._set_modules_back()
        return _reason(setting.name for setting, then in written if setting.read() != then)

    def _why_not_shared(self) -> str | None:
        """Which changes no import has made. Replaced functions are set back by the job that replaced them."""
        changes = (each for each in self._changes() if not isinstance(each.owner, Namespace))
        return _reason(each.name for each in changes if not any(map(each.equals, self._by_import)))

    def _set_modules_back(self) -> None:
        for name in fake_modules(self._modules):
            if name in self._modules:
                sys.modules[name] = self._modules[name]
            else:
                del sys.modules[name]

    def _changes(self) -> Iterator[SettingChange]:
        for setting, then in self._settings:
            if (now := setting.read()) != then:
                yield SettingChange(setting.name, setting, "", now)
        for each in self._namespaces:
            for key, value in each.changed().items():
                yield SettingChange(f"{each.name}.{key}", each, key, value)
        for name, module in fake_modules(self._modules).items():
            yield SettingChange(f"sys.modules[{name!r}]", _MODULES, name, (name, module))


def _set_module(entry: tuple[str, Any]) -> None:
    name, module = entry
    if module is MISSING:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = module


_MODULES = Setting("sys.modules", lambda: None, _set_module)


def _reason(names: Iterable[str]) -> str | None:
    changed = ", ".join(names)
    return f"a module changed {changed}" if changed else None
