"""A side effect that must not happen twice, although its job may be tried several times."""

from typing import Literal, Protocol

OnceAct = Literal["begin", "done", "drop"]
OnceState = Literal["begun", "done", "unknown", "dropped"]


class OnceRecorder(Protocol):
    """Keeps the records of a job."""

    async def once(self, key: str, act: OnceAct, value: object) -> tuple[OnceState, object]:
        """Change the record of `key`, or ask for it. Returns its state and its value. Raises Failed, ValueError."""


class Once:
    """What is recorded of a side effect: the answer of `helpers.once`."""

    def __init__(self, recorder: OnceRecorder, key: str, state: OnceState, value: object) -> None:
        self._recorder = recorder
        self.key = key
        self.state = state
        """`begun`: this call has begun it, so do it now. `done`: it was done before. `unknown`: it was begun before,
        and nothing says whether it happened."""
        # Any object that JSON can hold.
        self.value = value
        """What `done` has stored with it."""

    async def done(self, value: object = None) -> None:
        """It has happened. `value` is anything that JSON can hold, at most 4 KiB; later attempts get it."""
        self.state, self.value = await self._recorder.once(self.key, "done", value)

    async def not_done(self) -> None:
        """It has not happened for certain: the next `helpers.once` with this key begins it."""
        self.state, self.value = await self._recorder.once(self.key, "drop", None)
