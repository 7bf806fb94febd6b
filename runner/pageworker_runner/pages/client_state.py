"""Compares the objects of Playwright's client with what they were before the first job.

A job gets objects that earlier jobs had: its page and keyboard, the browser context, the browser. What is an attribute
of one of them outlives the job: marks of the client itself, and what a ported script sets (`page.goto = my_goto`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

MISSING = object()


class AttributeSnapshot:
    """The attributes of one object at one time."""

    def __init__(self, name: str, owner: object, live: frozenset[str] = frozenset()) -> None:
        """`live`: attributes that change with each use. They are not compared."""
        self._name = name
        self._now = vars(owner)
        self._live = live
        # A container is compared by its content, since the client changes most of them in place.
        self._then = {key: (value, _content(value)) for key, value in self._now.items() if key not in live}

    def changed(self) -> list[str]:
        """`page.goto` for each attribute that is new, is gone or has another value."""
        return [f"{self._name}.{key}" for key in self._changed_keys()]

    def restore(self) -> list[str]:
        """Set every attribute back. Returns what was changed."""
        changed = self._changed_keys()
        for key in changed:
            value, content = self._then.get(key, (MISSING, None))
            if value is MISSING:
                del self._now[key]
            else:
                self._now[key] = value if content is None else content.copy()
        return [f"{self._name}.{key}" for key in changed]

    def _changed_keys(self) -> list[str]:
        then, now = self._then, self._now
        changed = [key for key, (value, content) in then.items() if not _same(value, content, now.get(key, MISSING))]
        if len(now) > len(then):
            changed += [key for key in now if key not in then and key not in self._live]
        return changed


class ClientState:
    """The attributes of several objects."""

    def __init__(self, owners: Mapping[str, object], live: Mapping[str, Iterable[str]]) -> None:
        """Owners by name. `live`: by owner, the attributes that change with each use; "" has those of all."""
        shared = frozenset(live.get("", ()))
        self._snapshots = [
            AttributeSnapshot(name, each, shared | set(live.get(name, ()))) for name, each in owners.items()
        ]

    def changed(self) -> list[str]:
        """What is different now: `page.goto`."""
        return [name for each in self._snapshots for name in each.changed()]

    def restore(self) -> list[str]:
        """Set everything back. Returns what was different."""
        return [name for each in self._snapshots for name in each.restore()]


def _content(value: object) -> Any:
    return value.copy() if isinstance(value, list | dict | set) else None


def _same(value: object, content: object, now: object) -> bool:
    if content is not None:
        return bool(content == now)
    # Client objects do not define equality; of values of other types, equal ones count as the same.
    return value is now or (type(value) is type(now) and value == now)
