"""The name of a job: tenant and id. Two tenants may use the same id: these are two jobs."""

import re
from typing import Annotated, Self

from msgspec import Meta, Struct

# `\Z`, not `$`: `$` also matches before a line feed at the end.
JOB_ID = r"^[A-Za-z0-9._:-]{1,128}\Z"
TENANT_ID = r"^[a-z0-9-]{1,63}\Z"


class JobRefInvalid(ValueError):
    """The text is not the name of a job. The message says how to write one."""


class JobRef(Struct, frozen=True, order=True):
    """Reference to a job. Its text is `TENANT/ID`. A tenant id has no slash, so the text is unambiguous."""

    tenant_id: Annotated[str, Meta(pattern=TENANT_ID)]
    job_id: Annotated[str, Meta(pattern=JOB_ID)]

    @classmethod
    def parse(cls, untrusted_text: str) -> Self:
        """`acme/17`. Raises JobRefInvalid."""
        tenant_id, slash, job_id = untrusted_text.partition("/")
        if not slash:
            raise JobRefInvalid(
                f"`{untrusted_text}` does not name the tenant of the job: write TENANT/ID, e.g. acme/17"
            )
        if not re.match(TENANT_ID, tenant_id) or not re.match(JOB_ID, job_id):
            raise JobRefInvalid(f"`{untrusted_text}` is not a valid name of a job: write TENANT/ID, e.g. acme/17")
        return cls(tenant_id, job_id)

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Parse a text that the queue wrote, without checking it again."""
        tenant_id, _, job_id = text.partition("/")
        return cls(tenant_id, job_id)

    @property
    def colon_form(self) -> str:
        """`acme:17`, as in the Redis key of the result and in `Idempotency-Key`."""
        return f"{self.tenant_id}:{self.job_id}"

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.job_id}"
