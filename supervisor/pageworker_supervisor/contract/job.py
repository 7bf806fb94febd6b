"""A job, as producers push it. The field table of the contract, typed."""

import datetime as dt
import json
import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from pageworker_supervisor.contract.errors import ContractError

MAX_PAYLOAD_BYTES = 256 * 1024
MAX_META_BYTES = 8 * 1024
MAX_JOB_BYTES = MAX_PAYLOAD_BYTES + MAX_META_BYTES + 16 * 1024

JOB_ID = r"^[A-Za-z0-9._:-]{1,128}$"
TENANT_ID = r"^[a-z0-9-]{1,63}$"
PROFILE_ID = r"^[A-Za-z0-9._-]{1,128}$"
MODULE_NAME = r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*"
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
MODULE_REF = rf"^{MODULE_NAME}(@{SEMVER})?$"
TRACE = r"^([0-9a-f]{32}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})$"
HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"

Priority = Literal["high", "normal", "low"]

RawObject = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]
Instant = Annotated[dt.datetime, Meta(tz=True)]


class Job(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One job. Times are seconds or RFC 3339 instants with an offset."""

    job_id: Annotated[str, Meta(pattern=JOB_ID)]
    tenant_id: Annotated[str, Meta(pattern=TENANT_ID)]
    endpoint_module: Annotated[str, Meta(pattern=MODULE_REF, max_length=200)]
    payload: RawObject = msgspec.Raw(b"{}")
    profile_id: Annotated[str, Meta(pattern=PROFILE_ID)] | None = None
    priority: Priority = "normal"
    retry_count: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    max_retries: Annotated[int, Meta(ge=0, le=20)] | None = None
    trace_id: Annotated[str, Meta(pattern=TRACE)] | None = None
    timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    delay_seconds: Annotated[float, Meta(ge=0, le=31_536_000)] | None = None
    not_before: Instant | None = None
    expires_at: Instant | None = None
    callback_url: Annotated[str, Meta(min_length=8, max_length=4096)] | None = None
    domain: Annotated[str, Meta(pattern=HOST)] | None = None
    proxy: Annotated[str, Meta(min_length=1, max_length=63)] | None = None
    meta: RawObject = msgspec.Raw(b"{}")

    def payload_object(self) -> dict[str, Any]:
        """The payload, decoded."""
        decoded: dict[str, Any] = msgspec.json.decode(self.payload)
        return decoded

    @property
    def module_name(self) -> str:
        """`shop.product` of `shop.product@1.4.2`."""
        return self.endpoint_module.partition("@")[0]

    @property
    def module_pin(self) -> str | None:
        """`1.4.2` of `shop.product@1.4.2`, None where the channel decides."""
        return self.endpoint_module.partition("@")[2] or None

    @property
    def domain_key(self) -> str | None:
        """Key of the per-domain limit: `domain`, else the host of `payload.url`, lower case."""
        if self.domain is not None:
            return self.domain.lower()
        url = self.payload_object().get("url")
        try:
            host = urlsplit(url).hostname if isinstance(url, str) else None
        except ValueError:
            return None
        return host if host and re.match(HOST, host) else None


FIELDS = Job.__struct_fields__
_decoder = msgspec.json.Decoder(Job)


def parse_job(untrusted_text: bytes) -> Job:
    """Parse and check one pushed text. Raises ContractError naming the field, the rule and the near miss."""
    if len(untrusted_text) > MAX_JOB_BYTES:
        raise ContractError(
            "too_large", "", f"a job is at most {MAX_JOB_BYTES} bytes, this has {len(untrusted_text)}"
        )
    try:
        job = _decoder.decode(untrusted_text)
    except msgspec.ValidationError as error:
        raise _explain(str(error), untrusted_text) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContractError(
            "invalid_json", "", f"not a JSON object: {error}", _json_hint(untrusted_text)
        ) from error
    except RecursionError as error:
        raise ContractError("invalid_json", "", "nested too deeply") from error
    _check_objects(job)
    if job.delay_seconds is not None and job.not_before is not None:
        raise ContractError("invalid_field", "not_before", "excludes `delay_seconds`", "give one of the two")
    if job.callback_url is not None:
        _check_url(job.callback_url)
    return job


def read_identity(untrusted_text: bytes) -> tuple[str, str] | None:
    """`(job_id, tenant_id)` of a text that is no valid job, where both can be read: whom to answer."""
    try:
        value = msgspec.json.decode(untrusted_text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    job_id, tenant_id = value.get("job_id"), value.get("tenant_id")
    if (
        isinstance(job_id, str)
        and isinstance(tenant_id, str)
        and re.match(JOB_ID, job_id)
        and re.match(TENANT_ID, tenant_id)
    ):
        return job_id, tenant_id
    return None


def _check_objects(job: Job) -> None:
    for field, raw, limit in (
        ("payload", job.payload, MAX_PAYLOAD_BYTES),
        ("meta", job.meta, MAX_META_BYTES),
    ):
        view = memoryview(raw)
        if view.nbytes > limit:
            raise ContractError("too_large", field, f"at most {limit} bytes of JSON, this has {view.nbytes}")
        if bytes(view[:1]) != b"{":
            raise ContractError("invalid_field", field, "expected an object", f'write `"{field}": {{…}}`')


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ContractError("invalid_field", "callback_url", "expected an absolute http:// or https:// URL")


def _explain(message: str, untrusted_text: bytes) -> ContractError:
    """msgspec's one-line message, taken apart: which field, what was expected, and the near miss."""
    rule, _, path = message.partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    if unknown := re.search(r"unknown field `(.*)`", rule):
        name = unknown[1]
        near = get_close_matches(name, FIELDS, n=1, cutoff=0.6)
        return ContractError(
            "unknown_field", name, "is not a field of a job", f"did you mean `{near[0]}`?" if near else ""
        )
    if missing := re.search(r"missing required field `(.*)`", rule):
        return _missing(missing[1], untrusted_text)
    if not field and not untrusted_text.lstrip().startswith(b"{"):
        return ContractError("invalid_json", "", rule, _json_hint(untrusted_text))
    return ContractError("invalid_field", field, rule[:1].lower() + rule[1:])


def _missing(name: str, untrusted_text: bytes) -> ContractError:
    # A misspelt required field shows up as missing first; the near miss is the useful thing to say.
    given = [key for key in json.loads(untrusted_text) if key not in FIELDS]
    near = get_close_matches(name, given, n=1, cutoff=0.6)
    return ContractError(
        "missing_field", name, "is required", f"`{near[0]}` was given instead" if near else ""
    )


def _json_hint(untrusted_text: bytes) -> str:
    if b"[object Object]" in untrusted_text:
        return "an n8n expression must be {{ JSON.stringify({...}) }}"
    return "push one JSON object a list element"
