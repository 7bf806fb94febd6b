"""The schema checker: its answers, and its end by the kernel when a check exceeds a limit."""

import os
import signal
import subprocess

import msgspec
import pytest
from pw_schemas import DOUBLES, HOSTILE, MULTIPLIES, doubling

from pageworker_supervisor.input_schema.check_apart import command
from pageworker_supervisor.input_schema.check_limits import APART, KEPT_SCHEMAS, CheckLimits
from pageworker_supervisor.input_schema.messages import SchemaAnswer, SchemaCheck, frame, take_frames
from pageworker_supervisor.input_schema.schema_checker import READY, SchemaChecker

SCHEMA = b'{"type":"object","required":["url"]}'


def check(schema: object, payload: object, sha256: str = "a" * 64) -> SchemaCheck:
    return SchemaCheck(sha256, msgspec.json.encode(payload), msgspec.json.encode(schema))


def run(sent: bytes, limits: CheckLimits = APART) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(limits), input=sent, capture_output=True, env={}, cwd="/", check=False)


def untimed(answer: SchemaAnswer) -> SchemaAnswer:
    return msgspec.structs.replace(answer, seconds=0.0)


def answers(ended: subprocess.CompletedProcess[bytes]) -> list[SchemaAnswer]:
    assert ended.stdout.startswith(READY)
    bodies = take_frames(bytearray(ended.stdout.removeprefix(READY)))
    return [untimed(msgspec.msgpack.decode(body, type=SchemaAnswer)) for body in bodies]


def test_a_check_reports_its_processor_time() -> None:
    checker = SchemaChecker(APART)
    quick, slow = checker.answer(SchemaCheck("b", b"{}", SCHEMA)), checker.answer(check(doubling(24), {}))
    assert 0 <= quick.seconds < 0.05 < slow.seconds


def test_it_keeps_a_schema_that_it_got() -> None:
    checker = SchemaChecker(APART)
    assert checker.answer(SchemaCheck("a", b"{}")).unknown
    assert [mistake.field for mistake in checker.answer(SchemaCheck("a", b"{}", SCHEMA)).mistakes] == ["payload.url"]
    assert untimed(checker.answer(SchemaCheck("a", b'{"url":1}'))) == SchemaAnswer()


def test_it_keeps_the_most_recently_used() -> None:
    checker = SchemaChecker(APART)
    names = [str(number) for number in range(KEPT_SCHEMAS)]
    for name in (*names, names[0], "one more"):
        checker.answer(SchemaCheck(name, b"{}", SCHEMA))
    assert checker.answer(SchemaCheck(names[1], b"{}")).unknown
    assert not checker.answer(SchemaCheck(names[0], b"{}")).unknown


def test_a_large_schema_is_not_kept() -> None:
    """In a new process: this one may have memory to spare, and would not grow."""
    many = {"properties": {f"p{n}": {"pattern": rf"(\w{{60}}){{4}}x{n}"} for n in range(200)}}
    sent = frame(check(many, {})) + frame(SchemaCheck("a" * 64, b"{}")) + frame(SchemaCheck("b", b'{"url":1}', SCHEMA))
    ended = run(sent, CheckLimits(seconds=10, kept_bytes=1 << 20))
    assert answers(ended) == [SchemaAnswer(too_large=True), SchemaAnswer(unknown=True), SchemaAnswer()]


def test_a_schema_that_cannot_be_used_has_a_reason() -> None:
    checker = SchemaChecker(APART)
    assert "not valid" in str(checker.answer(check({"type": "objekt"}, {})).unusable)
    deep = b'{"not":' * 5000 + b"{}" + b"}" * 5000
    assert checker.answer(SchemaCheck("b", b"{}", deep)).unusable == "it is nested too deeply"


def test_a_bug_is_reported_and_the_next_check_is_answered() -> None:
    checker = SchemaChecker(APART)
    assert "Traceback" in str(checker.answer(SchemaCheck("a", b"no json", SCHEMA)).bug)
    assert untimed(checker.answer(SchemaCheck("a", b'{"url":1}', SCHEMA))) == SchemaAnswer()


def test_the_process_answers_in_order_and_ends_with_its_input() -> None:
    ended = run(frame(check({"type": "object"}, {})) + frame(check({"required": ["a"]}, {}, "b")))
    assert ended.returncode == 0
    assert [bool(answer.mistakes) for answer in answers(ended)] == [False, True]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_kernel_ends_it_where_a_check_needs_too_much(name: str) -> None:
    ended = run(frame(check(*HOSTILE[name])), CheckLimits(seconds=0.5, kept_bytes=APART.kept_bytes))
    assert ended.returncode in (-signal.SIGPROF, -signal.SIGABRT)
    assert ended.stdout == READY


def test_processor_time_and_memory_have_different_ends() -> None:
    assert run(frame(check(*DOUBLES)), CheckLimits(seconds=0.2)).returncode == -signal.SIGPROF
    assert run(frame(check(*MULTIPLIES)), CheckLimits(seconds=60)).returncode == -signal.SIGABRT


def test_the_time_of_one_check_is_not_that_of_the_next() -> None:
    """All together need at least twice the limit, each a tenth of it."""
    slow = frame(check(doubling(20), {}))
    ended = run(slow * 30, CheckLimits(seconds=0.2))
    assert answers(ended) == [SchemaAnswer()] * 30


def test_it_does_nothing_for_a_supervisor_that_has_ended() -> None:
    words = command(APART)
    other = "1" if os.getpid() != 1 else "2"
    ended = subprocess.run(
        [*words[:4], other, *words[5:]], input=frame(check({}, {})), capture_output=True, env={}, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, b"")
