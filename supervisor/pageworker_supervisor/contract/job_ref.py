"""What a job is named by: its id within its tenant. Two tenants may use the same id; they have two jobs."""

import re
from typing import Annotated, Self

from msgspec import Meta, Struct

# `\Z`, not `$`: that one also matches before a line feed at the end.
JOB_ID = r"^[A-Za-z0-9._:-]{1,128}\Z"
TENANT_ID = r"^[a-z0-9-]{1,63}\Z"


class JobRefInvalid(ValueError):
    """A text that names no job. The message says how to write one."""


class JobRef(Struct, frozen=True, order=True):
    """A job's reference. Its text is `TENANT/ID`; a tenant's id holds no slash, so the text is unambiguous."""

    tenant_id: Annotated[str, Meta(pattern=TENANT_ID)]
    job_id: Annotated[str, Meta(pattern=JOB_ID)]

    @classmethod
    def parse(cls, untrusted_text: str) -> Self:
        """`acme/17`. Raises JobRefInvalid."""
        tenant_id, slash, job_id = untrusted_text.partition("/")
        if not slash:
            raise JobRefInvalid(f"`{untrusted_text}` does not say whose job it is: write TENANT/ID, e.g. acme/17")
        if not re.match(TENANT_ID, tenant_id) or not re.match(JOB_ID, job_id):
            raise JobRefInvalid(f"`{untrusted_text}` names no job: write TENANT/ID, e.g. acme/17")
        return cls(tenant_id, job_id)

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The text of a reference that the queue keeps; not checked again."""
        tenant_id, _, job_id = text.partition("/")
        return cls(tenant_id, job_id)

    @property
    def colon_form(self) -> str:
        """`acme:17`, as in the result's key and in `Idempotency-Key`."""
        return f"{self.tenant_id}:{self.job_id}"

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.job_id}"
