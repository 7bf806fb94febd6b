"""What waits, by owner: each owner gets its turn. Pure."""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class WaitingTurns(Generic[T]):
    """A queue per owner. Owners take turns; the items of one owner keep their order."""

    def __init__(self) -> None:
        self._items: dict[object, deque[T]] = {}
        """By owner, in the order of their turns. None is empty."""

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def add(self, owner: object, item: T) -> None:
        """The item waits, behind those of its owner."""
        self._items.setdefault(owner, deque()).append(item)

    def remove(self, owner: object, item: T) -> None:
        """The item waits no more, if it still does."""
        items = self._items.get(owner)
        if items is not None and item in items:
            items.remove(item)
            if not items:
                del self._items[owner]

    def take(self) -> T:
        """The next item. Raises LookupError if nothing waits."""
        owner = next(iter(self._items), None)
        if owner is None:
            raise LookupError("nothing waits")
        items = self._items.pop(owner)
        item = items.popleft()
        if items:
            self._items[owner] = items
        return item
