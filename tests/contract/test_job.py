"""Typical mistakes of producers, and the errors that they get; the name of a job; the domain that it counts against."""

import contextlib
import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import (
    JOB_ID,
    MAX_DEPTH,
    MAX_JOB_BYTES,
    MAX_META_BYTES,
    MAX_PAGE_BYTES,
    MAX_PAYLOAD_BYTES,
    TENANT_ID,
    Job,
    JobRef,
    JobRefInvalid,
    depth,
    domain_key,
    host_of_key,
    parse_job,
    read_identity,
    read_identity_at,
    too_deep,
)
from pageworker_supervisor.contract.job_errors import MAX_TEXT_DEPTH, shown

PLAIN: dict[str, Any] = {"job_id": "j-1", "tenant_id": "acme", "endpoint_module": "shop.product"}


def text(**fields: Any) -> bytes:
    return json.dumps(PLAIN | fields).encode()


def refusal(untrusted_text: bytes) -> ContractError:
    with pytest.raises(ContractError) as caught:
        parse_job(untrusted_text)
    return caught.value


def test_a_job_with_nothing_but_the_required_fields_has_the_defaults() -> None:
    job = parse_job(text())
    assert (job.job_id, job.tenant_id, job.module_name, job.module_pin) == ("j-1", "acme", "shop.product", None)
    assert (job.priority, job.retry_count, job.payload_object(), job.profile_id) == ("normal", 0, {}, None)


def test_every_field_of_the_contract_is_taken() -> None:
    job = parse_job(
        text(
            endpoint_module="shop.product@1.4.2",
            payload={"url": "https://Shop.Example:8443/x"},
            profile_id="p.1",
            priority="high",
            retry_count=1,
            max_retries=20,
            trace_id="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
            timeout_seconds=1.5,
            delay_seconds=0,
            expires_at="2030-01-31T12:00:00+02:00",
            callback_url="https://n8n.example/webhook-waiting/7?signature=x",
            meta={"a": [1]},
            page={"locale": "de-DE", "viewport": {"width": 390, "height": 844}},
        )
    )
    assert list(job.page_options().given()) == ["viewport", "locale"]
    assert job.module_pin == "1.4.2"
    assert job.domain_key == "shop.example"
    assert bytes(job.meta) == b'{"a": [1]}'


@pytest.mark.parametrize(
    ("fields", "type_", "field", "words"),
    [
        ({"tenantId": "acme"}, "unknown_field", "tenantId", ["did you mean `tenant_id`?"]),
        ({"prioritty": "high"}, "unknown_field", "prioritty", ["did you mean `priority`?"]),
        ({"callbackUrl": "x"}, "unknown_field", "callbackUrl", ["did you mean `callback_url`?"]),
        ({"proxy": "EU"}, "invalid_field", "proxy", ["1-63 of a-z0-9-"]),
        ({"proxy": 1}, "invalid_field", "proxy", ["1-63 of a-z0-9-"]),
        ({"batch_id": "b b"}, "invalid_field", "batch_id", ["expected 1-128 of A-Za-z0-9._:-"]),
        ({"files": 1}, "invalid_field", "files", ["expected a list of files", "file_id"]),
        ({"zzz": 1}, "unknown_field", "zzz", ["is not a field of a job"]),
        ({"job_id": "a b"}, "invalid_field", "job_id", ["1-128 of A-Za-z0-9._:-", '"a b"']),
        ({"job_id": "a\n"}, "invalid_field", "job_id", ["white space around it"]),
        ({"job_id": ""}, "invalid_field", "job_id", ["1-128 of"]),
        ({"job_id": 5}, "invalid_field", "job_id", ["write it in quotes"]),
        ({"job_id": "x" * 129}, "invalid_field", "job_id", ["1-128", "…"]),
        ({"tenant_id": "Acme"}, "invalid_field", "tenant_id", ["1-63 of a-z0-9-", "lower case only"]),
        ({"endpoint_module": "Shop"}, "invalid_field", "endpoint_module", ["name@1.2.3"]),
        ({"endpoint_module": "a@1.2"}, "invalid_field", "endpoint_module", ["whole version"]),
        ({"endpoint_module": "a@1.2.3\n"}, "invalid_field", "endpoint_module", ["name@1.2.3"]),
        ({"profile_id": "../x"}, "invalid_field", "profile_id", ["1-128 of A-Za-z0-9._-"]),
        ({"profile_id": ""}, "invalid_field", "profile_id", ["leave it out, or write null"]),
        ({"priority": "urgent"}, "invalid_field", "priority", ["one of high, normal, low", '"urgent"']),
        ({"priority": None}, "invalid_field", "priority", ["leave it out to get the default"]),
        ({"max_retries": 21}, "invalid_field", "max_retries", ["0 to 20", "got 21"]),
        ({"max_retries": "3"}, "invalid_field", "max_retries", ["without quotes"]),
        ({"max_retries": 1.5}, "invalid_field", "max_retries", ["a whole number"]),
        ({"retry_count": -1}, "invalid_field", "retry_count", ["0 to 1000000"]),
        ({"timeout_seconds": 0}, "invalid_field", "timeout_seconds", ["a number above 0, at most 86400"]),
        ({"timeout_seconds": True}, "invalid_field", "timeout_seconds", ["got true"]),
        ({"expires_at": "2030-01-31T12:00:00"}, "invalid_field", "expires_at", ["add Z"]),
        ({"expires_at": 1893456000}, "invalid_field", "expires_at", ["RFC 3339"]),
        ({"expires_at": "tomorrow"}, "invalid_field", "expires_at", ["2030-01-31T12:00:00Z"]),
        ({"domain": "https://shop.example/"}, "invalid_field", "domain", ["only the host"]),
        ({"trace_id": "A" * 32}, "invalid_field", "trace_id", ["32 lower-case hex digits"]),
        ({"callback_url": "n8n.example/hook"}, "invalid_field", "callback_url", ["http:// or https://"]),
        ({"callback_url": "ftp://n8n.example"}, "invalid_field", "callback_url", ["http:// or https://"]),
        ({"callback_url": "https://[::1"}, "invalid_field", "callback_url", ["absolute"]),
        ({"payload": []}, "invalid_field", "payload", ["expected an object, got []"]),
        ({"payload": '{"url": "x"}'}, "invalid_field", "payload", ["leave out the JSON.stringify"]),
        ({"payload": None}, "invalid_field", "payload", ["expected an object, got null"]),
        ({"meta": 7}, "invalid_field", "meta", ['write `"meta": {…}`']),
        ({"page": "de"}, "invalid_field", "page", ["expected an object"]),
        ({"page": {"locale": "de_DE"}}, "invalid_field", "page.locale", ["a language of BCP 47", 'write "de-DE"']),
        ({"page": {"viewprt": {}}}, "invalid_field", "page.viewprt", ["did you mean `viewport`?"]),
        (
            {"page": {"http_credentials": {"username": "a", "password": "b"}}},
            "not_supported",
            "page.http_credentials",
            [],
        ),
        ({"page": {"ca": "ca.pem"}}, "not_supported", "page.ca", ["cannot be given by a job"]),
        ({"page": {"user_agent": "x" * MAX_PAGE_BYTES}}, "too_large", "page", ["16384 bytes"]),
        ({"payload": {"a": 2**64}}, "invalid_field", "payload", ["more than 64 bits", "as strings"]),
        ({"payload": {"a": "x" * MAX_PAYLOAD_BYTES}}, "too_large", "payload", ["262144 bytes"]),
        ({"meta": {"a": "x" * MAX_META_BYTES}}, "too_large", "meta", ["8192 bytes"]),
        ({"delay_seconds": 1, "not_before": "2030-01-31T12:00:00Z"}, "invalid_field", "not_before", ["one of"]),
    ],
)
def test_a_mistake_is_named_with_its_field_and_what_was_meant(
    fields: dict[str, Any], type_: str, field: str, words: list[str]
) -> None:
    error = refusal(text(**fields))
    assert (error.type, error.field) == (type_, field)
    for word in words:
        assert word in str(error)
    assert "regex" not in str(error)


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [("jobid", "job_id"), ("jobId", "job_id"), ("tenantId", "tenant_id"), ("endpointModule", "endpoint_module")],
)
def test_a_misspelt_required_field_is_recognised(given_name: str, meant: str) -> None:
    fields = {key: value for key, value in PLAIN.items() if key != meant} | {given_name: "x"}
    error = refusal(json.dumps(fields).encode())
    assert meant in str(error)
    assert given_name in str(error)


@pytest.mark.parametrize(
    ("untrusted_text", "words"),
    [
        (b"", "push one JSON object"),
        (b"{", "not a JSON object"),
        (b"hello", "push one JSON object"),
        (b"[object Object]", "JSON.stringify({...})"),
        (b"[]", "got a list; a list of jobs has 1 to 1000 elements, each a JSON object"),
        (b'"{\\"job_id\\": 1}"', "JSON.stringify was applied twice"),
        (b"null", "got null"),
        (b"5", "got a number"),
        (b"\xff\xfe{\x00}\x00", "not a JSON object"),
        (b'{"job_id": "\xff"}', "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (text(payload={"a": 1}).replace(b'"a": 1', b'"a":' + b"[" * 100_000 + b"]" * 100_000), "nested"),
    ],
)
def test_a_text_that_is_not_a_json_object_gets_a_hint(untrusted_text: bytes, words: str) -> None:
    error = refusal(untrusted_text)
    assert error.type == "invalid_json"
    assert words in str(error)


@pytest.mark.parametrize("inside", [b"1e999", b'"\\ud800"', b'"\xff"', b"1" * 5000, b"nope"])
def test_a_payload_that_could_not_be_read_later_is_refused_now(inside: bytes) -> None:
    assert refusal(text(payload={"a": 1}).replace(b'{"a": 1}', b'{"a": ' + inside + b"}")).type == "invalid_json"


def test_nesting_has_a_limit_that_leaves_every_later_reader_enough() -> None:
    def nested(levels: int) -> Any:
        # Any: each round nests it once more.
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return value

    assert parse_job(text(payload={"a": nested(MAX_DEPTH - 1)}))
    assert refusal(text(payload={"a": nested(MAX_DEPTH)})).type == "too_large"
    assert depth(nested(3)) == 3
    assert depth({"a": {"b": []}, "c": 1}) == 3


@pytest.mark.parametrize("field", ["priority", "payload", "meta"])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("frames", [0, 300])
def test_no_depth_of_nesting_raises_anything_else(field: str, opening: bytes, closing: bytes, frames: int) -> None:
    def parse(untrusted_text: bytes, frames: int) -> None:
        if frames:
            parse(untrusted_text, frames - 1)
            return
        with contextlib.suppress(ContractError):
            parse_job(untrusted_text)
        read_identity(untrusted_text)

    for levels in range(1100):
        value = opening * levels + b"1" + closing * levels
        parse(text(**{field: 0}).replace(b": 0}", b": " + value + b"}"), frames)


def test_a_value_that_cannot_be_encoded_is_described() -> None:
    # Any: each round nests it once more.
    value: Any = 1
    for _ in range(2000):
        value = [value]
    assert shown(value) == "a value that is nested too deeply"


def test_an_oversize_text_is_not_even_parsed() -> None:
    assert refusal(b" " * (MAX_JOB_BYTES + 1)).type == "too_large"


def test_tenant_and_id_are_read_from_an_invalid_job() -> None:
    assert read_identity(text(nonsense=1)) == JobRef("acme", "j-1")
    assert read_identity(b'{"job_id": "j-1"}') is None
    assert read_identity(b'{"job_id": "j-1\\n", "tenant_id": "acme"}') is None
    assert read_identity(b'{"job_id": 1, "tenant_id": "acme"}') is None
    assert read_identity(b"[1]") is None
    assert read_identity(b"[" * 100_000) is None
    assert read_identity(b"\xff") is None


def test_in_the_inbox_of_a_tenant_a_text_is_that_tenants() -> None:
    assert read_identity_at(text(nonsense=1), "rival") == JobRef("rival", "j-1")
    assert read_identity_at(b'{"job_id": "j-1"}', "rival") == JobRef("rival", "j-1")
    assert read_identity_at(b'{"tenant_id": "acme"}', "rival") is None
    assert read_identity_at(b"\xff", "rival") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(Job.__struct_fields__) | st.text(max_size=12)


@given(st.dictionaries(names, json_values, max_size=6), st.booleans())
def test_any_object_is_a_job_or_a_refusal_that_names_a_field(fields: dict[str, Any], whole: bool) -> None:
    untrusted_text = json.dumps(PLAIN | fields if whole else fields).encode()
    job: Job | None = None
    refused: ContractError | None = None
    try:
        job = parse_job(untrusted_text)
    except ContractError as error:
        refused = error
    if job is None:
        assert refused is not None
        assert str(refused)
        assert refused.field or refused.type == "invalid_json"
        return
    # What was taken can be read, sent to a runner and written down again.
    msgspec.msgpack.encode(job.payload_object())
    assert job.domain_key is None or isinstance(job.domain_key, str)
    assert parse_job(msgspec.json.encode(job)) == job


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_refused_in_words(untrusted_text: bytes) -> None:
    read_identity(untrusted_text)
    assert str(refusal(untrusted_text))


refs = st.builds(
    JobRef,
    st.from_regex(TENANT_ID, fullmatch=True),
    st.from_regex(JOB_ID, fullmatch=True),
)


@given(refs)
def test_its_text_reads_back(ref: JobRef) -> None:
    assert JobRef.parse(str(ref)) == ref
    assert JobRef.of_text(str(ref)) == ref


@given(refs, refs)
def test_no_two_names_share_a_text_or_a_key(one: JobRef, other: JobRef) -> None:
    assert (str(one) == str(other)) is (one == other)
    assert (one.colon_form == other.colon_form) is (one == other)


@pytest.mark.parametrize(
    "text", ["17", "", "/", "acme/", "/17", "acme/1/7", "Acme/17", "acme/1 7", "acme/17\n", "a:b/1"]
)
def test_anything_else_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(JobRefInvalid, match=r"write TENANT/ID, e\.g\. acme/17"):
        JobRef.parse(text)


def test_what_is_decoded_is_checked() -> None:
    assert msgspec.convert({"tenant_id": "acme", "job_id": "17"}, JobRef) == JobRef("acme", "17")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tenant_id": "acme/x", "job_id": "17"}, JobRef)


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"[" * MAX_TEXT_DEPTH + b"]" * MAX_TEXT_DEPTH, False),
        (b"[" * (MAX_TEXT_DEPTH + 1), True),
        (b'{"a":' * (MAX_TEXT_DEPTH + 1), True),
        (b"[" + b"[]," * 1000 + b"{}]", False),
        (b'["' + b"[" * 1000 + b'"]', False),
        (b'["\\"' + b"[" * 1000 + b'"]', False),
        (b'["\\\\",' + b"[" * 1000, True),
        (b'["' + b"[\n" * 1000, False),
        (b'["\xff",' + b"[" * 1000, True),
    ],
)
def test_only_brackets_outside_of_strings_count(text: bytes, deep: bool) -> None:
    assert too_deep(text) is deep


@pytest.mark.parametrize("unit", [b'\\"', b'"[', b"[]", b'"\\', b'"'])
def test_every_text_takes_linear_time(unit: bytes) -> None:
    text = b"[" + b"[]" * 1000 + b'"' + unit * 1_000_000
    started = time.process_time()
    too_deep(text)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("declared", "url", "key"),
    [
        (None, None, None),
        (None, 7, None),
        (None, "data:text/html,x", None),
        (None, "https://Shop.Test./p", "shop.test"),
        (None, "https://a_b.test/", "a_b.test"),
        ("SHOP.test.", "https://shop.test/p", "shop.test"),
        ("shop.test", "https://www.shop.test/p", "shop.test"),
        # Nothing confirms these: they count in a domain of the tenant's own.
        ("shop.test", None, "shop.test@acme"),
        ("shop.test", "https://other.test/", "shop.test@acme"),
        ("hop.test", "https://shop.test/", "hop.test@acme"),
    ],
)
def test_a_declared_domain_is_shared_only_where_the_url_confirms_it(
    declared: str | None, url: object, key: str | None
) -> None:
    assert domain_key(declared, url, "acme") == key


def test_a_host_that_no_browser_accepts_is_a_domain_of_its_own() -> None:
    one, other = domain_key(None, "http://exa mple/", "acme"), domain_key(None, "http://exam ple/", "acme")
    assert one is not None
    assert one.startswith("%")
    assert one != other
    assert one == domain_key(None, "http://exa mple/", "acme")


def test_the_settings_of_a_key_are_those_of_its_host() -> None:
    assert host_of_key("shop.test@acme") == "shop.test"
    assert host_of_key("shop.test") == "shop.test"
