"""What is kept of a text that is no job."""

import hashlib
import json

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.new_job import push_text
from pageworker_supervisor.queue.rejected_text import DIGESTED_INLINE_BYTES, described, rejected_event, whole_of


def test_a_text_that_is_kept_whole_needs_no_digest() -> None:
    assert whole_of(b"abc", 3) == {}


def test_a_cut_text_is_told_by_length_and_digest() -> None:
    assert whole_of(b"abcd", 3) == {
        "text": {"bytes": 4, "kept_bytes": 3, "sha256": hashlib.sha256(b"abcd").hexdigest()}
    }


async def test_a_huge_text_is_described_as_a_small_one_is() -> None:
    huge = b"x" * (DIGESTED_INLINE_BYTES + 1)
    push, told = await described(huge, "first", 16)
    assert (push, told) == (push_text(huge, "first"), whole_of(huge, 16))


def test_the_event_names_the_job_and_the_reason() -> None:
    event = json.loads(rejected_event(JobRef("acme", "j1"), "no such field"))
    assert (event["event"], event["tenant_id"], event["job_id"]) == ("rejected", "acme", "j1")
    assert event["detail"] == {"reason": "no such field"}
