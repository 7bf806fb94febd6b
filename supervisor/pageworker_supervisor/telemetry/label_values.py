"""Keeps the number of values per label small. Pure."""

from collections.abc import Collection

OTHER = "other"
MAX_LABELS = 200
"""Maximum number of values per label. Producers could otherwise create any number of them."""


class LabelValues:
    """Values of one label: the known ones, then new ones until there are `limit`. All others are `other`."""

    def __init__(self, known: Collection[str], *, limit: int = MAX_LABELS) -> None:
        self._seen = set(sorted(known)[:limit])
        self._limit = limit

    def know(self, names: Collection[str]) -> None:
        """Add names while there is space."""
        for name in sorted(names):
            if len(self._seen) < self._limit:
                self._seen.add(name)

    def of(self, name: str, *, learn: bool = True) -> str:
        """The label value for a name. With `learn=False` an unknown name is not added to the known ones."""
        if name in self._seen:
            return name
        if learn and len(self._seen) < self._limit:
            self._seen.add(name)
            return name
        return OTHER
