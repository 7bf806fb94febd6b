"""Payloads against the schemas of verified bundles: what exceeds the limits of the shared checker runs apart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pw_modules.author import Author, packed
from pw_schemas import DOUBLES, HOSTILE, doubling

from pageworker_sandbox.signing import BundleMalformed, VerifiedBundle, verify
from pageworker_supervisor.input_schema.check_limits import CheckLimits
from pageworker_supervisor.input_schema.errors import CheckLimitExceeded, OutputInvalid, PayloadInvalid
from pageworker_supervisor.input_schema.input_checks import InputChecks, check_schema, check_schemas
from pageworker_supervisor.telemetry import log

SLOW = doubling(24)
"""Every payload matches it, in some tenths of a second."""


def bundle(author: Author, schema: dict[str, Any]) -> VerifiedBundle:
    return verify(author.signed(packed(schema=schema)), author.trust)


@asynccontextmanager
async def checks_with(shared: CheckLimits, apart: CheckLimits) -> AsyncIterator[InputChecks]:
    checks = InputChecks(shared, apart)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(checks.run())
        yield checks
        running.cancel()


@pytest.fixture(scope="module")
def author() -> Author:
    return Author()


@pytest.fixture
async def checks() -> AsyncIterator[InputChecks]:
    async with checks_with(CheckLimits(seconds=0.05), CheckLimits(seconds=10.0, kept_bytes=1 << 30)) as made:
        yield made


@pytest.fixture
def warnings() -> Any:
    lines: list[Any] = []
    handler = log.add(lambda message: lines.append(message.record), level="WARNING")
    yield lines
    log.remove(handler)


async def test_what_matches_passes_and_what_does_not_is_listed(checks: InputChecks, author: Author) -> None:
    module = bundle(author, {"type": "object", "required": ["url"]})
    await checks.check(module, "a", b'{"url":1}')
    with pytest.raises(PayloadInvalid, match=r"`payload\.url`: is required"):
        await checks.check(module, "a", b"{}")
    with pytest.raises(BundleMalformed, match=r"input schema: .*not valid"):
        await checks.check(bundle(author, {"type": "objekt"}), "a", b"{}")


async def test_a_result_is_checked_by_the_output_schema_of_its_bundle(checks: InputChecks, author: Author) -> None:
    """Both schemas of a bundle are kept side by side."""
    output = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}
    text = packed(schema={"type": "object", "required": ["url"]}, more="[output]\n", output=output)
    module = verify(author.signed(text), author.trust)
    for _ in range(2):
        await checks.check(module, "a", b'{"url":1}')
        await checks.check_output(module, "a", b'{"price":1.5}')
        with pytest.raises(OutputInvalid, match=r"`data\.price`: is not of type .number.; found a text"):
            await checks.check_output(module, "a", b'{"price":"1.5"}')
    await checks.check_output(bundle(author, {}), "a", b'{"anything":1}')


async def test_a_slow_valid_payload_is_accepted_apart_from_then_on(
    checks: InputChecks, author: Author, warnings: list[Any]
) -> None:
    module = bundle(author, SLOW)
    for _ in range(2):
        await checks.check(module, "a", b"{}")
    assert [line["message"] for line in warnings] == ["payloads are checked apart"]
    await checks.check(module, "b", b"{}")
    assert [line["extra"]["tenant_id"] for line in warnings] == ["a", "b"], "each tenant is shared until it is slow"


async def test_a_slow_check_within_the_limits_is_the_last_one_in_the_shared_checker(
    author: Author, warnings: list[Any]
) -> None:
    """Else one tenant's checks could each take almost the limit, and the others wait behind all of them."""
    module = bundle(author, SLOW)
    async with checks_with(CheckLimits(seconds=10.0), CheckLimits(seconds=10.0, kept_bytes=1 << 30)) as checks:
        for _ in range(2):
            await checks.check(module, "a", b"{}")
    (line,) = warnings
    assert "a check took" in line["extra"]["reason"]


async def test_a_hostile_schema_is_named_with_its_limit(author: Author) -> None:
    text = r"the input schema of shop.product 1.4.2 needs more than 0.3 s of processor time"
    async with checks_with(CheckLimits(seconds=0.05), CheckLimits(seconds=0.3)) as checks:
        with pytest.raises(CheckLimitExceeded, match=text):
            await checks.check(bundle(author, DOUBLES[0]), "a", b"{}")


async def test_a_check_that_runs_apart_does_not_stop_the_others(
    checks: InputChecks, author: Author, warnings: list[Any]
) -> None:
    good, evil = bundle(author, {"required": ["url"]}), bundle(author, DOUBLES[0])
    async with asyncio.TaskGroup() as tasks:
        attack = tasks.create_task(checks.check(evil, "a", b"{}"))
        while not warnings:
            await checks.check(good, "b", b'{"url":1}')
        for _ in range(100):
            await checks.check(good, "b", b'{"url":1}')
        assert not attack.done()
        attack.cancel()


def test_an_author_and_a_publisher_are_told_before_a_worker_is() -> None:
    check_schema({"type": "object", "required": ["url"]})
    with pytest.raises(BundleMalformed, match="look-around"):
        check_schema({"properties": {"a": {"pattern": "(?=x)"}}})
    with pytest.raises(CheckLimitExceeded, match="the input schema needs more than 1 s of processor time"):
        check_schema(DOUBLES[0])
    with pytest.raises(CheckLimitExceeded):
        check_schema(HOSTILE["many patterns"][0])
    with pytest.raises(BundleMalformed, match=r"output schema: .*look-around"):
        check_schemas(packed(more="[output]\n", output={"properties": {"a": {"pattern": "(?=x)"}}}))
