"""What an answer, or the end of a checker, means."""

import signal

import pytest

from pageworker_sandbox.signing import BundleMalformed
from pageworker_supervisor.input_schema.check_limits import CheckLimits
from pageworker_supervisor.input_schema.check_outcome import conclude, encoded, exceeded
from pageworker_supervisor.input_schema.errors import CheckerEnded, CheckerFailed, OutputInvalid, PayloadInvalid
from pageworker_supervisor.input_schema.messages import PayloadMistake, SchemaAnswer

NAME = "the input schema of shop.product 1.4.2"
LIMITS = CheckLimits(seconds=1.5, memory_bytes=512 << 20)


def test_answers() -> None:
    conclude(SchemaAnswer(), NAME)
    with pytest.raises(PayloadInvalid, match=r"`payload\.url`: is required"):
        conclude(SchemaAnswer((PayloadMistake("payload.url", "is required"),)), NAME)
    with pytest.raises(BundleMalformed, match=r"^input schema: it is nested too deeply$"):
        conclude(SchemaAnswer(unusable="it is nested too deeply"), NAME)
    with pytest.raises(OutputInvalid, match=r"`data\.price`: is required"):
        conclude(SchemaAnswer((PayloadMistake("data.price", "is required"),)), NAME, "output")
    with pytest.raises(CheckerFailed, match=r"shop\.product 1\.4\.2: Traceback"):
        conclude(SchemaAnswer(bug="Traceback"), NAME)


def test_the_error_names_schema_module_and_limit() -> None:
    text = "the check of this payload against the input schema of shop.product 1.4.2 needs more than "
    assert str(exceeded(CheckerEnded(-signal.SIGPROF), NAME, LIMITS)) == text + "1.5 s of processor time"
    assert str(exceeded(CheckerEnded(-signal.SIGPROF), "it", LIMITS, "output")).startswith("the check of this result")
    for status in (-signal.SIGABRT, -signal.SIGSEGV, 1):
        assert str(exceeded(CheckerEnded(status), NAME, LIMITS)) == (
            text + "512 MiB of memory, or is nested too deeply"
        )


def test_an_operator_or_the_kernel_that_kills_a_checker_is_no_fault_of_the_job() -> None:
    with pytest.raises(OSError, match="ended from outside, with status -9"):
        exceeded(CheckerEnded(-signal.SIGKILL), NAME, LIMITS)


def test_a_schema_that_is_nested_too_deeply_is_malformed() -> None:
    assert encoded({"type": "object"}) == b'{"type":"object"}'
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"not": deep}
    with pytest.raises(BundleMalformed, match="input schema: it is nested too deeply"):
        encoded(deep)
