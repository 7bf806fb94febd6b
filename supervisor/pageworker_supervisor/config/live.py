"""A part of the settings that may change while the worker runs.

A component takes `Live[PoolSettings]` in place of `PoolSettings`, and reads `.value` whenever it needs it. A value is
frozen and is replaced as a whole, so a reader never sees half of a change. A component that has to act on a change
registers an action with `on_change`.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Live(Generic[T]):
    """A value and the actions that follow a change of it. Its parts change together with it."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._actions: list[Callable[[T], None]] = []

    @property
    def value(self) -> T:
        """The value that counts now. Do not keep it longer than one step of work."""
        return self._value

    def on_change(self, action: Callable[[T], None]) -> None:
        """Call `action` with each new value. It must not wait: it runs while the settings change."""
        self._actions.append(action)

    def replace(self, value: T) -> None:
        """Set the value. Actions run only if it differs, in the order in which they were registered."""
        if value == self._value:
            return
        self._value = value
        for action in self._actions:
            action(value)

    def part(self, choose: Callable[[T], U]) -> "Live[U]":
        """What `choose` takes out of the value, e.g. one section of all settings."""
        part = Live(choose(self._value))
        self.on_change(lambda whole: part.replace(choose(whole)))
        return part
