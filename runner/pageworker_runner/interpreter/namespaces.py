"""Attributes of modules and classes that many programs replace: `time.sleep = mine`, `Page.goto = mine`.

Only those of NAMES are compared, since a comparison of everything would cost each job milliseconds.
"""

import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

NAMES = (
    *("asyncio", "base64", "builtins", "collections", "contextlib", "copy", "csv", "datetime", "decimal", "functools"),
    *("hashlib", "html", "inspect", "io", "itertools", "json", "locale", "logging", "math", "os", "pathlib", "random"),
    *("re", "socket", "ssl", "string", "sys", "threading", "time", "typing", "urllib.parse", "urllib.request", "uuid"),
    *("msgspec", "playwright.async_api", "pageworker", "pageworker.helpers", "pageworker.outcomes"),
    *(
        "pageworker.context",
        "pageworker.extraction",
        "pageworker.once",
        "pageworker.page_reading",
        "pageworker.pagination",
        "pageworker.sink",
        "pageworker.waits",
    ),
)
"""Modules. Their own classes count as well, if Python code defines them."""
VOLATILE = frozenset({"sys.last_exc", "sys.last_traceback", "sys.last_type", "sys.last_value"})
"""Set by the interpreter."""
MISSING = object()


@dataclass(frozen=True)
class Namespace:
    """The attributes that a module or a class had at one time."""

    owner: Any
    name: str
    then: Mapping[str, object]

    def changed(self) -> dict[str, object]:
        """Attribute to its value now, for each one that is new, gone (MISSING) or has another value."""
        now = vars(self.owner)
        if now == self.then:
            return {}
        found: dict[str, object] = {}
        for key in {*self.then, *now}:
            value, before = now.get(key, MISSING), self.then.get(key, MISSING)
            if value is before or f"{self.name}.{key}" in VOLATILE:
                continue
            if before is MISSING and (isinstance(value, ModuleType) or key.startswith("__")):
                # The import of a submodule, and what the interpreter adds to a class.
                continue
            found[key] = value
        return found

    def set(self, key: str, value: object) -> None:
        """Give an attribute this value, or take it away."""
        if value is MISSING:
            delattr(self.owner, key)
        else:
            setattr(self.owner, key, value)


def namespaces() -> list[Namespace]:
    """Those of NAMES as they are now."""
    return [Namespace(owner, name, dict(vars(owner))) for owner, name in _owners()]


def _owners() -> Iterator[tuple[Any, str]]:
    seen: set[int] = set()
    for name in NAMES:
        module = importlib.import_module(name)
        yield module, name
        for key, each in list(vars(module).items()):
            if inspect.isclass(each) and each.__flags__ & HEAP_TYPE and id(each) not in seen:
                seen.add(id(each))
                yield each, f"{name}.{key}"


HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: only such a class can be changed."""
