"""The rollout entry of one module as it is stored in Redis, and the edits that commands and the decision make. Pure.

The entry can only choose among versions that the signed index lists: `registry/version_choice.py` checks that at each
job. A promotion and a rollback are both kept as a replacement, `replaced`: jobs that would get the first version get
the second. So an entry says nothing about versions that are published later.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from pageworker_sandbox.state_machine import IllegalTransition, label, next_state
from pageworker_supervisor.rollouts.errors import RolloutRefused
from pageworker_supervisor.rollouts.rollout_state import TRANSITIONS, RolloutEvent, RolloutState

MOST_VERSIONS = 200
"""Rolled back and withdrawn versions of one module, each: the oldest are forgotten."""
MOST_TEXT = 300
"""Characters of who, why and evidence."""

Percent = Annotated[float, Meta(gt=0, le=100)]
Version = Annotated[str, Meta(min_length=1, max_length=64)]


class RolloutAuthor(Struct, frozen=True):
    """Who changes an entry, why, and when: milliseconds since the epoch."""

    who: str
    why: str
    at_ms: int


class Rollout(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rollout, running or ended. `tags` and `channel`: only workers with one of the tags, or that follow the
    channel, take part. Without them all workers do."""

    id: str
    from_version: Version
    to_version: Version
    state: RolloutState
    percent: Percent
    who: str
    why: str
    started_at_ms: int
    changed_at_ms: int
    tags: tuple[str, ...] = ()
    channel: str = ""
    evidence: str = ""
    """Numbers behind an automatic decision; "" if a person decided."""

    @property
    def running(self) -> bool:
        """Whether it shares out jobs now."""
        return self.state is RolloutState.RUNNING


class RolloutEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that Redis says about the versions of one module."""

    rollout: Rollout | None = None
    """The newest rollout."""
    replaced: dict[str, str] = {}
    """Version that jobs get in place of another: by the one that they would get."""
    rolled_back: tuple[str, ...] = ()
    """Versions that are not chosen again by themselves, newest last."""
    withdrawn: tuple[str, ...] = ()
    """Versions that no job gets, not even one that pins it."""

    @property
    def running(self) -> Rollout | None:
        """The rollout that shares out jobs now."""
        return self.rollout if self.rollout is not None and self.rollout.running else None

    @property
    def versions(self) -> frozenset[str]:
        """Every version that this entry may choose."""
        of_rollout = (self.rollout.from_version, self.rollout.to_version) if self.running and self.rollout else ()
        return frozenset({*self.replaced.values(), *of_rollout})


NO_ENTRY = RolloutEntry()


def decode_entry(text: bytes) -> RolloutEntry:
    """An entry from Redis. Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=RolloutEntry)


def encode_entry(entry: RolloutEntry) -> bytes:
    """An entry as it is stored."""
    return msgspec.json.encode(entry)


def start(
    entry: RolloutEntry,
    rollout_id: str,
    versions: tuple[str, str],
    author: RolloutAuthor,
    *,
    percent: float,
    tags: tuple[str, ...] = (),
    channel: str = "",
    again: bool = False,
) -> RolloutEntry:
    """Begin a rollout from the first of `versions` to the second. Raises RolloutRefused.

    A running rollout between the same versions keeps its id and its evidence, and gets the new share.
    """
    before, after = versions
    _check_chosen(entry, after, again=again)
    running = entry.running
    if running is not None and (running.from_version, running.to_version) == versions:
        resized = _moved(running, RolloutEvent.RESIZE, author)
        changed = replace(resized, percent=percent, tags=tags, channel=channel)
        return replace(entry, rollout=changed)
    if running is not None:
        raise RolloutRefused(
            f"a rollout from {running.from_version} to {running.to_version} is running",
            "first promote it, roll it back or stop it",
        )
    if before == after:
        raise RolloutRefused(f"jobs get {after} already", "name another version")
    begun = _new(rollout_id, versions, author, RolloutState.RUNNING, percent)
    fresh = replace(entry, rollout=replace(begun, tags=tags, channel=channel))
    return _trusted(fresh, after)


def promote(
    entry: RolloutEntry,
    rollout_id: str,
    versions: tuple[str, str] | None,
    author: RolloutAuthor,
    *,
    again: bool = False,
) -> RolloutEntry:
    """Give the new version to all jobs. `versions`: of a promotion without a rollout; None: the newest rollout's.

    Raises RolloutRefused.
    """
    rollout = _chosen(entry, rollout_id, versions, author)
    _check_chosen(entry, rollout.to_version, again=again)
    ended = _moved(rollout, RolloutEvent.PROMOTE, author)
    before, after = ended.from_version, ended.to_version
    kept = {old: new for old, new in entry.replaced.items() if old != after}
    return _trusted(replace(entry, rollout=ended, replaced=_bounded({**kept, before: after})), after)


def roll_back(
    entry: RolloutEntry,
    rollout_id: str,
    versions: tuple[str, str] | None,
    author: RolloutAuthor,
    evidence: str = "",
) -> RolloutEntry:
    """Give the old version to all jobs that would get the new one. `versions`: as in `promote`; jobs get the first.

    Raises RolloutRefused.
    """
    rollout = _chosen(entry, rollout_id, versions, author)
    ended = replace(_moved(rollout, RolloutEvent.ROLL_BACK, author), evidence=evidence[:MOST_TEXT])
    before, after = ended.from_version, ended.to_version
    if before in entry.withdrawn:
        raise RolloutRefused(f"{before} was withdrawn", "name a version to go back to")
    kept = {old: new for old, new in entry.replaced.items() if old != before}
    rolled_back = (*(each for each in entry.rolled_back if each != after), after)[-MOST_VERSIONS:]
    return replace(entry, rollout=ended, replaced=_bounded({**kept, after: before}), rolled_back=rolled_back)


def stop(entry: RolloutEntry, author: RolloutAuthor) -> RolloutEntry:
    """Give up the running rollout. Raises RolloutRefused."""
    if entry.running is None:
        raise RolloutRefused("no rollout is running", "see `workerctl rollout`")
    return replace(entry, rollout=_moved(entry.running, RolloutEvent.STOP, author))


def withdraw(entry: RolloutEntry, version: str, author: RolloutAuthor) -> RolloutEntry:
    """No job gets this version any more, not even one that pins it. Raises RolloutRefused."""
    everything = frozenset({*entry.replaced, *entry.replaced.values()})
    needed = [old for old in entry.replaced if replacement(old, entry.replaced, everything) == version]
    if needed:
        raise RolloutRefused(
            f"jobs get {version} in place of {', '.join(sorted(needed))}",
            "first promote, or roll back to, another version",
        )
    running = entry.running
    if running is not None and running.from_version == version:
        raise RolloutRefused(f"a rollout from {version} is running", "first promote it or stop it")
    if running is not None and running.to_version == version:
        entry = roll_back(entry, running.id, None, author)
    withdrawn = (*(each for each in entry.withdrawn if each != version), version)[-MOST_VERSIONS:]
    return replace(entry, withdrawn=withdrawn)


def restore(entry: RolloutEntry, version: str) -> RolloutEntry:
    """Take back a withdrawal. Raises RolloutRefused."""
    if version not in entry.withdrawn:
        raise RolloutRefused(f"{version} is not withdrawn in Redis", "see `workerctl rollout`")
    return replace(entry, withdrawn=tuple(each for each in entry.withdrawn if each != version))


def replacement(version: str, replaced: Mapping[str, str], permitted: frozenset[str]) -> str:
    """What jobs get in place of a version: the last permitted one of its replacements, each of which may be replaced
    too. Without a permitted one, the version itself."""
    found = version
    for _ in range(len(replaced)):
        following = replaced.get(version)
        if following is None:
            break
        version = following
        found = version if version in permitted else found
    return found


def rollout_event(module: str, revision: int, entry: RolloutEntry, author: RolloutAuthor) -> bytes:
    """The event that tells the fleet's channel of a change."""
    rollout = entry.rollout
    detail = {"module": module, "revision": revision, "who": author.who, "why": author.why}
    if rollout is not None:
        detail |= {"from": rollout.from_version, "to": rollout.to_version, "state": rollout.state.value}
        detail |= {"percent": rollout.percent, "evidence": rollout.evidence}
    return msgspec.json.encode({"event": "rollout", "detail": detail})


def _new(
    rollout_id: str, versions: tuple[str, str], author: RolloutAuthor, state: RolloutState, percent: float
) -> Rollout:
    return Rollout(
        id=rollout_id,
        from_version=versions[0],
        to_version=versions[1],
        state=state,
        percent=percent,
        who=author.who[:MOST_TEXT],
        why=author.why[:MOST_TEXT],
        started_at_ms=author.at_ms,
        changed_at_ms=author.at_ms,
    )


def _chosen(entry: RolloutEntry, rollout_id: str, versions: tuple[str, str] | None, author: RolloutAuthor) -> Rollout:
    """The rollout that is meant: the newest, or one that begins with its end."""
    newest = entry.rollout
    if versions is None or (newest is not None and (newest.from_version, newest.to_version) == versions):
        if newest is None:
            raise RolloutRefused("the module has no rollout", "name a version")
        return newest
    if entry.running is not None:
        raise RolloutRefused(
            f"a rollout from {entry.running.from_version} to {entry.running.to_version} is running",
            "first stop it with `workerctl module rollout NAME --stop`",
        )
    if versions[0] == versions[1]:
        raise RolloutRefused(f"jobs get {versions[1]} already", "name another version")
    return _new(rollout_id, versions, author, RolloutState.RUNNING, 100.0)


def _moved(rollout: Rollout, event: RolloutEvent, author: RolloutAuthor) -> Rollout:
    try:
        state = next_state(TRANSITIONS, rollout.state, event)
    except IllegalTransition as illegal:
        raise RolloutRefused(
            f"the rollout to {rollout.to_version} is {label(rollout.state)} already", "start another one"
        ) from illegal
    who, why = author.who[:MOST_TEXT], author.why[:MOST_TEXT]
    return replace(rollout, state=state, who=who, why=why, changed_at_ms=author.at_ms)


def _check_chosen(entry: RolloutEntry, version: str, *, again: bool) -> None:
    if version in entry.withdrawn:
        raise RolloutRefused(f"{version} was withdrawn", "take that back with `workerctl module yank --fast --undo`")
    if version in entry.rolled_back and not again:
        raise RolloutRefused(f"{version} was rolled back before", "add --again if you want it nevertheless")


def _trusted(entry: RolloutEntry, version: str) -> RolloutEntry:
    """The version may be chosen again: nothing replaces it."""
    return replace(
        entry,
        rolled_back=tuple(each for each in entry.rolled_back if each != version),
        replaced={old: new for old, new in entry.replaced.items() if old != version},
    )


def _bounded(replaced: dict[str, str]) -> dict[str, str]:
    return dict(list(replaced.items())[-MOST_VERSIONS:])
