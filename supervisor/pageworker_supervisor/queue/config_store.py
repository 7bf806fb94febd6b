"""The central configuration in Redis: proposals, votes, the version that counts. All methods raise RedisClientError.

queue/lua/fn_config.lua has the protocol. Every call may be repeated with the same arguments.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_supervisor.queue.errors import ConfigStoreDamaged
from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.queue.library import shard_key

SHARD = 0
Texts = Mapping[str, str]
"""A document: name of a setting, and its value as JSON text."""

ProposalState = Literal["open", "busy", "stale", "decided"]
Action = Literal["", "vote", "take", "restore"]


class ConfigVersion(Struct, frozen=True, kw_only=True):
    """One version of the central configuration. 0: nothing was ever set."""

    version: int
    digest: str = ""
    who: str = ""
    why: str = ""
    at_ms: int = 0


class ConfigLook(ConfigVersion, frozen=True, kw_only=True):
    """What a worker has to do. `document` is the text of the proposal `id` or of the version, for `vote` and `take`."""

    action: Action
    id: str = ""
    document: bytes = b""


class ConfigOutcome(Struct, frozen=True):
    """How a proposal ended. Keys are names of workers."""

    state: Literal["committed", "refused"]
    version: int
    agreed: dict[str, bool]
    left_out: dict[str, str]
    """Workers that did not vote in time, and why. They take a committed version when they answer again."""
    refusals: dict[str, list[str]]
    """Every mistake that a worker found."""


class WorkerVersion(Struct, frozen=True):
    """The version that a worker runs. `missed`: it did not answer the last proposal that waited for it."""

    version: int
    digest: str
    missed: bool


class ConfigState(ConfigVersion, frozen=True, kw_only=True):
    """The version that counts, and the version of each worker. `edited`: the hash has other values, edited by hand."""

    document: bytes
    edited: bool
    workers: dict[str, WorkerVersion]

    @property
    def texts(self) -> Texts:
        """The document. Raises ConfigStoreDamaged."""
        return texts_of(self.document)


class PastVersion(ConfigVersion, frozen=True, kw_only=True):
    """A version of the history."""

    document: bytes


class ConfigStore:
    """The central configuration of one prefix. It is on shard 0."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._root = shards.roots[SHARD]

    async def state(self) -> ConfigState:
        """What counts now."""
        reply = await self._shards.call(SHARD, "config_state")
        head = unpacked(reply)
        workers = {name: _worker(text) for name, text in msgspec.json.decode(head.pop("workers")).items()}
        return ConfigState(**head, workers=workers, document=bytes(reply[1]))

    async def propose(self, proposal_id: str, base: int, document: Texts, who: str, why: str) -> ProposalState:
        """Propose a whole document in place of version `base`."""
        word = await self._shards.settled_call(
            SHARD, "config_propose", id=proposal_id, base=base, document=dict(document), who=who, why=why
        )
        state: ProposalState = msgspec.convert(bytes(word).decode(), ProposalState)
        return state

    async def outcome(self, proposal_id: str) -> ConfigOutcome | None:
        """How a proposal ended; None while it is open, and five minutes after its end."""
        text = await self._shards.call(SHARD, "config_outcome", id=proposal_id)
        return msgspec.json.decode(text, type=ConfigOutcome) if text else None

    async def wait_outcome(self, proposal_id: str, seconds: float) -> None:
        """Return when the proposal has ended, or the time is up. Then ask for its outcome."""
        key = shard_key(self._root, "config_outcome", proposal_id)
        # Moved to its own place: a reader that loses the reply finds it again.
        await self._shards.functions.block("BLMOVE", key, key, "LEFT", "LEFT", seconds, key=self._root)

    async def look(self, worker: str, version: int, digest: str, refused: str = "") -> ConfigLook:
        """This worker lives and runs this version: what does it have to do?

        `refused`: digest of the version that counts, if the worker cannot run it.
        """
        reply = await self._shards.call(
            SHARD, "config_look", worker=worker, version=version, digest=digest, refused=refused
        )
        return ConfigLook(**unpacked(reply), document=bytes(reply[1]))

    async def vote(self, worker: str, proposal_id: str, problems: Sequence[str]) -> None:
        """Accept a proposal, or refuse it with every mistake."""
        await self._shards.settled_call(SHARD, "config_vote", worker=worker, id=proposal_id, problems=list(problems))

    async def restore(self, version: ConfigVersion, document: Texts) -> bool:
        """Redis lost data: write this version again. False: it has this version, or a newer one."""
        reply = await self._shards.settled_call(
            SHARD,
            "config_restore",
            version=version.version,
            who=version.who,
            why=version.why,
            at_ms=version.at_ms,
            document=dict(document),
        )
        return bool(reply)

    async def leave(self, worker: str) -> None:
        """This worker stops."""
        await self._shards.call(SHARD, "config_leave", worker=worker)

    async def history(self, count: int) -> list[PastVersion]:
        """The newest versions, the newest first. Entries that another client wrote are left out."""
        key = shard_key(self._root, "config_history")
        entries = await self._shards.functions.command("XREVRANGE", key, "+", "-", "COUNT", count, key=self._root)
        return [past for _, entry in entries if (past := _past(entry)) is not None]


def texts_of(document: bytes) -> Texts:
    """The names and JSON texts of a document. Raises ConfigStoreDamaged."""
    try:
        return msgspec.json.decode(document, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigStoreDamaged(str(error)) from error


def _worker(text: str) -> WorkerVersion:
    version, digest, missed = text.split(" ")
    return WorkerVersion(int(version), digest, missed == "1")


def _past(entry: Mapping[bytes, bytes]) -> PastVersion | None:
    try:
        return PastVersion(
            version=int(entry[b"version"]),
            who=entry[b"who"].decode(errors="replace"),
            why=entry[b"why"].decode(errors="replace"),
            at_ms=int(entry[b"at_ms"]),
            document=bytes(entry[b"document"]),
        )
    except (KeyError, ValueError):
        return None
