"""A job as producers push it: its name, its fields with types and limits, and the domain that it counts against."""

import datetime as dt
import hashlib
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from pageworker_sandbox.hostname import HostInvalid, host_of_url, normalise_host
from pageworker_sandbox.page_rules import NEVER_BY_JOB, PageOptionsInvalid, parse_options
from pageworker_sandbox.wire.page_options import PageOptions
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job_errors import (
    MAX_TEXT_DEPTH,
    UNREADABLE,
    explain,
    nested_too_deeply,
    object_hint,
    shown,
    unreadable,
)
from pageworker_supervisor.contract.job_files import MAX_FILES_TEXT_BYTES, NamedFile, check_files
from pageworker_supervisor.contract.type_names import describe_pattern

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


MAX_PAYLOAD_BYTES = 256 * 1024
MAX_META_BYTES = 8 * 1024
MAX_PAGE_BYTES = 16 * 1024
MAX_DEPTH = 100
"""Levels of nesting in payload and meta. Every decoder on the way accepts many more."""
MAX_JOB_BYTES = MAX_PAYLOAD_BYTES + MAX_META_BYTES + MAX_PAGE_BYTES + MAX_FILES_TEXT_BYTES + 16 * 1024
MAX_ANSWERED_BYTES = 4 * 1024 * 1024
"""A larger text is not parsed even to find out which tenant gets the rejection: parsing it would delay other jobs."""

PROFILE_ID = r"^[A-Za-z0-9._-]{1,128}\Z"
MODULE_NAME = r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*"
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
MODULE_REF = describe_pattern(
    rf"^{MODULE_NAME}(@{SEMVER})?\Z", "`name` or `name@1.2.3`, a dotted lower-case name and a whole version"
)
TRACE = describe_pattern(
    r"^([0-9a-f]{32}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})\Z",
    "32 lower-case hex digits, or a W3C traceparent",
)

PROXY_NAME = r"^[a-z0-9-]{1,63}\Z"
"""The name of a proxy policy, a key of `[proxies]`."""
DIRECT = "direct"
"""In place of such a name: no proxy."""

Priority = Literal["high", "normal", "low"]

RawObject = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object", "default": {}})]
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
    domain: Annotated[str, Meta(min_length=1, max_length=253)] | None = None
    proxy: Annotated[str, Meta(pattern=PROXY_NAME)] | None = None
    """Proxy policy of the job, or `direct`. None: that of the module, else of the tenant."""
    meta: RawObject = msgspec.Raw(b"{}")
    page: RawObject = msgspec.Raw(b"{}")
    """Options of the browser context, as far as the module lets a job set them."""
    batch_id: Annotated[str, Meta(pattern=JOB_ID)] | None = None
    files: tuple[NamedFile, ...] = ()

    @property
    def ref(self) -> JobRef:
        """The name of the job."""
        return JobRef(self.tenant_id, self.job_id)

    def payload_object(self) -> dict[str, Any]:
        """The payload, decoded."""
        decoded: dict[str, Any] = msgspec.json.decode(self.payload)
        return decoded

    def page_options(self) -> PageOptions:
        """The field `page`, checked."""
        return PageOptions() if bytes(self.page) == b"{}" else parse_options(msgspec.json.decode(self.page))

    @property
    def module_name(self) -> str:
        """`shop.product` of `shop.product@1.4.2`."""
        return self.endpoint_module.partition("@")[0]

    @property
    def module_pin(self) -> str | None:
        """`1.4.2` of `shop.product@1.4.2`; None if the channel decides."""
        return self.endpoint_module.partition("@")[2] or None

    @property
    def domain_key(self) -> str | None:
        """Key of the per-domain limit: see `domain_key`."""
        return domain_key(self.domain, self.payload_object().get("url"), self.tenant_id)


_decoder = msgspec.json.Decoder(Job)


def parse_job(untrusted_text: bytes) -> Job:
    """Parse and check one pushed text. Raises ContractError with field, rule and hint."""
    if len(untrusted_text) > MAX_JOB_BYTES:
        raise ContractError(
            "too_large", "", f"a job has at most {MAX_JOB_BYTES} bytes, this one has {len(untrusted_text)}"
        )
    if too_deep(untrusted_text):
        raise nested_too_deeply()
    try:
        job = _decoder.decode(untrusted_text)
    except msgspec.ValidationError as error:
        raise explain(str(error), untrusted_text, Job) from error
    except UNREADABLE as error:
        raise unreadable(error, untrusted_text) from error
    _check_objects(job)
    if job.files:
        check_files(job.files)
    if job.delay_seconds is not None and job.not_before is not None:
        raise ContractError(
            "invalid_field", "not_before", "cannot be combined with `delay_seconds`", "give one of the two"
        )
    if job.callback_url is not None:
        _check_url(job.callback_url)
    if job.domain is not None:
        _check_domain(job.domain)
    return job


def read_identity(untrusted_text: bytes) -> JobRef | None:
    """Tenant and id of a text that is not a valid job, or None. The rejection is sent to this tenant."""
    job_id, tenant_id = _identity_fields(untrusted_text)
    return None if job_id is None or tenant_id is None else JobRef(tenant_id, job_id)


def read_identity_at(untrusted_text: bytes, origin: str) -> JobRef | None:
    """As `read_identity`, of a text from the inbox of the tenant `origin`: whichever tenant the text names."""
    job_id, _ = _identity_fields(untrusted_text)
    return None if job_id is None else JobRef(origin, job_id)


def _identity_fields(untrusted_text: bytes) -> tuple[str | None, str | None]:
    """Job id and tenant of a text, None for what it does not have in a valid form."""
    if len(untrusted_text) > MAX_ANSWERED_BYTES or too_deep(untrusted_text):
        return None, None
    try:
        value = msgspec.json.decode(untrusted_text)
    except UNREADABLE:
        return None, None
    if not isinstance(value, dict):
        return None, None
    job_id, tenant_id = value.get("job_id"), value.get("tenant_id")
    return (
        job_id if isinstance(job_id, str) and re.match(JOB_ID, job_id) else None,
        tenant_id if isinstance(tenant_id, str) and re.match(TENANT_ID, tenant_id) else None,
    )


def _check_objects(job: Job) -> None:
    for field, raw, limit in (
        ("payload", job.payload, MAX_PAYLOAD_BYTES),
        ("meta", job.meta, MAX_META_BYTES),
        ("page", job.page, MAX_PAGE_BYTES),
    ):
        view = memoryview(raw)
        if view.nbytes > limit:
            raise ContractError("too_large", field, f"has at most {limit} bytes of JSON, this one has {view.nbytes}")
        if bytes(view) != b"{}":
            _check_object(field, raw)
    if bytes(job.page) != b"{}":
        _check_page(job)


def _check_page(job: Job) -> None:
    try:
        given = job.page_options().given()
    except PageOptionsInvalid as invalid:
        first = invalid.mistakes[0]
        rule = f"expected {first.expected}, got {first.found}"
        raise ContractError("invalid_field", f"page.{first.key}", rule, first.hint) from invalid
    for key, hint in NEVER_BY_JOB.items():
        if key in given:
            raise ContractError("not_supported", f"page.{key}", "cannot be given by a job", hint)


def _check_object(field: str, raw: msgspec.Raw) -> None:
    """The decoder only skipped over a Raw. Check now that every later reader can decode it."""
    try:
        value = msgspec.json.decode(raw)
        # Results travel as MessagePack. Its integers have 64 bits, so a module could not return larger ones.
        msgspec.msgpack.encode(value)
    except OverflowError as error:
        hint = "write larger ones as strings"
        raise ContractError("invalid_field", field, "contains an integer of more than 64 bits", hint) from error
    except RecursionError as error:
        raise nested_too_deeply(field) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContractError("invalid_json", field, f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ContractError(
            "invalid_field", field, f"expected an object, got {shown(value)}", object_hint(field, value)
        )
    if depth(value) > MAX_DEPTH:
        raise ContractError("too_large", field, f"is nested more than {MAX_DEPTH} levels deep")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ContractError("invalid_field", "callback_url", "expected an absolute http:// or https:// URL")


def _check_domain(domain: str) -> None:
    try:
        normalise_host(domain)
    except HostInvalid as error:
        hint = "only the host, e.g. shop.example"
        raise ContractError("invalid_field", "domain", str(error), hint) from error


def depth(value: Any) -> int:
    """Levels of nested objects and lists, 0 for a bare value. Stops counting at MAX_DEPTH + 1."""
    levels = 0
    layer = [value]
    while levels <= MAX_DEPTH and (containers := [each for each in layer if isinstance(each, dict | list)]):
        levels += 1
        layer = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
    return levels


# Possessive, and the final quote is optional: linear for every text, also for one whose string does not end.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = frozenset(b"[{")


def too_deep(untrusted_text: bytes) -> bool:
    """Whether the text is nested more than MAX_TEXT_DEPTH levels deep. Brackets inside strings do not count.

    A decoder raises RecursionError at a depth that depends on the call stack, and what handles the value later has a
    deeper one. So a text is refused before it is decoded.
    """
    if untrusted_text.count(b"[") + untrusted_text.count(b"{") <= MAX_TEXT_DEPTH:
        return False
    levels = 0
    for bracket in _STRING.sub(b"", untrusted_text).translate(None, _NO_BRACKET):
        levels += 1 if bracket in _OPENING else -1
        if levels > MAX_TEXT_DEPTH:
            return True
    return False


TENANT_MARK = "@"
INVALID_MARK = "%"


def domain_key(declared: str | None, untrusted_url: object, tenant_id: str) -> str | None:
    """The key of the domain whose limits a job counts against; None if neither a domain nor a URL with a host is
    given.

    `declared` is the field `domain` of the job, already validated. `untrusted_url` is `payload.url`, of any type. The
    key is a host name in normalised form (`shop.example`), or one of two forms that no host name can have:
    - `shop.example@acme`: tenant `acme` named the domain in field `domain`, and the URL of the job does not confirm it.
      The job counts in a domain of this tenant alone.
    - `%0123456789abcdef`: no browser accepts the host of the URL. Each such URL is a domain with limits like any other.

    The key keeps no tenant out of a domain: any job may have a URL there, and need not visit it. How tenants share the
    permits of a domain: queue/lua/shared_quota.lua.
    """
    host = _host(untrusted_url) if isinstance(untrusted_url, str) else None
    if declared is None:
        return host
    domain = normalise_host(declared)
    confirmed = host is not None and (host == domain or host.endswith(f".{domain}"))
    return domain if confirmed else f"{domain}{TENANT_MARK}{tenant_id}"


def host_of_key(key: str) -> str:
    """The host whose settings apply to the key: `shop.example` of `shop.example@acme`."""
    return key.partition(TENANT_MARK)[0]


def _host(untrusted_url: str) -> str | None:
    try:
        return host_of_url(untrusted_url)
    except HostInvalid:
        digest = hashlib.sha256(untrusted_url.encode("utf-8", "replace")).hexdigest()
        return INVALID_MARK + digest[:16]
