"""A batch as it is opened: its name, its size, and when and where it is answered."""

import hashlib
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import JOB_ID, TENANT_ID, JobRefInvalid

MOST_JOBS = 100_000
"""Of one batch. As in queue/lua/batch.lua."""
DAY_SECONDS = 24 * 3600
DEADLINE_SECONDS = 7 * DAY_SECONDS
MOST_DEADLINE_SECONDS = 31 * DAY_SECONDS

CompleteOn = Literal["all_ended", "first_failure"]
CompletionReason = Literal["all_ended", "cancelled", "first_failure", "deadline"]


class BatchRef(Struct, frozen=True, order=True):
    """Reference to a batch. Its text is `TENANT/BATCH`."""

    tenant_id: Annotated[str, Meta(pattern=TENANT_ID)]
    batch_id: Annotated[str, Meta(pattern=JOB_ID)]

    @classmethod
    def parse(cls, untrusted_text: str) -> "BatchRef":
        """`acme/nightly`. Raises JobRefInvalid."""
        tenant_id, slash, batch_id = untrusted_text.partition("/")
        if not slash or not re.match(TENANT_ID, tenant_id) or not re.match(JOB_ID, batch_id):
            raise JobRefInvalid(f"`{untrusted_text}` is no name of a batch: write TENANT/BATCH, e.g. acme/nightly")
        return cls(tenant_id, batch_id)

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.batch_id}"


class BatchSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a batch is opened with. Without `size` it is open until a call closes it.

    `deadline_seconds`: it is complete then at the latest, in each round.
    """

    batch_id: Annotated[str, Meta(pattern=JOB_ID)]
    size: Annotated[int, Meta(ge=1, le=MOST_JOBS)] | None = None
    callback_url: Annotated[str, Meta(min_length=8, max_length=4096)] | None = None
    deadline_seconds: Annotated[float, Meta(gt=0, le=MOST_DEADLINE_SECONDS)] = DEADLINE_SECONDS
    complete_on: CompleteOn = "all_ended"

    @property
    def digest(self) -> str:
        """The same for the same parameters."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:24]


_FIELD = re.compile(r"(.*) - at `\$\.?([^`]*)`", re.DOTALL)


def parse_batch(untrusted_object: object) -> BatchSpec:
    """Check a decoded JSON object. Raises ContractError with field and rule."""
    try:
        return msgspec.convert(untrusted_object, BatchSpec)
    except msgspec.ValidationError as error:
        text = str(error)
        if unknown := re.search(r"unknown field `(.*)`", text, re.DOTALL):
            known = ", ".join(BatchSpec.__struct_fields__)
            raise ContractError("unknown_field", unknown[1][:60], "is not a field of a batch", known) from error
        if missing := re.search(r"missing required field `(.*)`", text):
            raise ContractError("missing_field", missing[1], "is required") from error
        found = _FIELD.fullmatch(text)
        rule = (found[1] if found else text).replace("`", "")
        raise ContractError("invalid_field", found[2] if found else "", rule[:1].lower() + rule[1:]) from error
