"""Whatever is edited by hand in Redis: every worker lives, and the next change takes effect on all of them."""

import pytest
from central.test_follower import change, following, harness, until
from pw_queue import QueueHarness

__all__ = ["harness"]

HASH = "pw:{0}:config"
META, PROPOSAL, VOTES = f"{HASH}:meta", f"{HASH}:proposal", f"{HASH}:votes"
WORKERS, HISTORY = f"{HASH}:workers", f"{HASH}:history"
FAR = "99999999999999"
OPEN = ("who", "me", "why", "x", "deadline", FAR)
LARGEST_ID = "18446744073709551615-18446744073709551615"

Command = tuple[str | bytes, ...]

EDITS: dict[str, tuple[Command, ...]] = {
    **{f"version {text}": (("HSET", META, "version", text),) for text in ("abc", "1e300", "inf", "nan", "-5", "1.5")},
    "version 2^53": (("HSET", META, "version", "9007199254740993"),),
    "no version": (("HDEL", META, "version"),),
    "no digest": (("HDEL", META, "digest"),),
    "digest is no text": (("HSET", META, "digest", b"\xff\xfe"),),
    "document is no JSON": (("HSET", META, "document", "junk"), ("HSET", HASH, "pool.runners", '"x"')),
    "document holds a table": (
        ("HSET", META, "document", '{"pool.runners": {}}'),
        ("HSET", HASH, "pool.runners", '"x"'),
    ),
    "document is another one": (("HSET", META, "document", '{"pool.runners": "8"}'),),
    "who is no text": (("HSET", META, "who", b"\xff", "why", b"\xed\xa0\x80"),),
    "time is none": (("HSET", META, "at_ms", "1e300"),),
    "names and values are no texts": (("HSET", HASH, b"\xff\xfe", b"\xff"),),
    "deep nesting": (("HSET", HASH, "pool.runners", "[" * 100_000),),
    "proposal without voters": (("HSET", PROPOSAL, "id", "z"),),
    "voters are no JSON": (("HSET", PROPOSAL, "id", "z", "voters", "junk", "document", "{}", *OPEN),),
    "voters are a number": (("HSET", PROPOSAL, "id", "z", "voters", "5", "document", "{}", *OPEN),),
    "proposal is no JSON": (("HSET", PROPOSAL, "id", "z", "voters", '["w1"]', "document", "junk", *OPEN),),
    "proposal waits for ever": (("HSET", PROPOSAL, "id", "z", "voters", '["w1", "w9"]', "document", "{}", *OPEN),),
    "worker's record is none": (("HSET", WORKERS, "w1", "junk"),),
    "worker's name is no text": (("HSET", WORKERS, b"w\xff3", "1 a 0"),),
    "unknown worker lives": (("HSET", WORKERS, "w3", "junk"), ("ZADD", "pw:{0}:workers", FAR, "w3")),
    "history is no stream": (("DEL", HISTORY), ("SET", HISTORY, "junk")),
    "history has other entries": (("XADD", HISTORY, "*", "version", "1e300", "a", "b"),),
    "history is at its largest id": (("XADD", HISTORY, LARGEST_ID, "a", "b"),),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_a_hand_edit_ends_no_worker(edit: str, harness: QueueHarness) -> None:
    async with following(harness, "w1", "w2") as followers:
        assert (await change(harness, {"pool.runners": 5}, "p0")).state == "committed"
        for one in followers:
            await one.runs(1)
        for command in EDITS[edit]:
            await harness.client.execute_command(*command)
        for one in followers:
            one.follower.notice()
        made = 0

        async def changed() -> bool:
            # The edit itself is a change, and so is what a worker restores: then the next one has to wait.
            nonlocal made
            made += 1
            store = harness.queue.config
            base = (await store.state()).version
            values = {"pool.runners": "6"}
            return await store.propose(f"p{made}", base, values, "me", "because") in ("open", "decided")

        await until(changed)
        await until(lambda: all(one.settings.pool.runners == 6 for one in followers))
        assert {one.follower.trouble.value for one in followers} == {""}
        newest = (await harness.queue.config.history(1))[0]
        assert newest.version == (await harness.queue.config.state()).version
