"""Log lines as a collector reads them."""

import io
import json
import logging
import os
import re
import time
import unicodedata
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from loguru import logger

from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.telemetry import AUDIT, log, log_to, mask_lines
from pageworker_supervisor.telemetry.log_lines import MAX_CHARACTERS
from pageworker_supervisor.telemetry.logs import keep_lines
from pageworker_supervisor.telemetry.recent_lines import RecentLines

Format = Literal["json", "text"]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is global to the process, so restore it."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    mask_lines(None)
    keep_lines(None)
    logger.remove()
    logger.configure(extra={})
    logging.captureWarnings(False)
    root.handlers[:], root.level = before[0], before[1]


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def to(format_: Format = "json", level: Literal["debug", "info", "error"] = "info") -> io.StringIO:
    stream = io.StringIO()
    log_to(LogSettings(format=format_, level=level), stream, worker_id="w1")
    return stream


def test_a_line_is_one_json_object_with_its_fields() -> None:
    stream = to()
    log.bind(job_id="j", tenant_id="t", trace_id="a" * 32).info("job ended", status="failed", error_type=None)
    (line,) = lines(stream)
    time_ = datetime.fromisoformat(line.pop("ts"))
    assert time_.utcoffset() is not None
    assert abs(time_.timestamp() - time.time()) < 5
    assert line == {
        "level": "info",
        "message": "job ended",
        "worker_id": "w1",
        "job_id": "j",
        "tenant_id": "t",
        "trace_id": "a" * 32,
        "status": "failed",
    }


def test_a_line_feed_in_a_message_does_not_make_two_lines() -> None:
    stream = to()
    log.info("module: {}", 'a\n{"level": "error", "message": "forged"}')
    assert len(lines(stream)) == 1


def test_fields_cannot_displace_what_every_line_has() -> None:
    stream = to()
    log.bind(ts="never", level="none", message="other").info("it")
    assert lines(stream)[0]["level"] == "info"
    assert lines(stream)[0]["message"] == "it"
    assert lines(stream)[0]["ts"] != "never"


def test_lines_below_the_level_are_not_written() -> None:
    stream = to()
    log.debug("quiet")
    assert not stream.getvalue()
    louder = to(level="debug")
    log.debug("loud")
    assert lines(louder)[0]["level"] == "debug"


def test_no_level_leaves_out_an_audit_line() -> None:
    stream = to(level="error")
    log.bind(outcome="granted").log(AUDIT, "secret granted")
    log.warning("left out")
    (line,) = lines(stream)
    assert (line["level"], line["message"], line["outcome"]) == ("audit", "secret granted", "granted")


@pytest.mark.parametrize("format_", ["json", "text"])
def test_every_line_is_masked_whatever_wrote_it(format_: Format) -> None:
    stream = to(format_)
    mask_lines(lambda line: line.replace("correct-horse", "(secret login)"))
    log.bind(host="correct-horse.example").warning("egress refused")
    logging.getLogger("library").warning("with correct-horse")
    try:
        raise ValueError("correct-horse")
    except ValueError as error:
        log.opt(exception=error).error("a bug")
    assert stream.getvalue().count("(secret login)") >= 3
    assert "correct-horse" not in stream.getvalue()


@pytest.mark.parametrize("format_", ["json", "text"])
def test_no_secret_and_no_payload_is_written(format_: Format) -> None:
    stream = to(format_)
    log.info("connecting to redis://me:geheim@host:1", payload={"card": "geheim"}, callback_secret=b"geheim")
    log.bind(Authorization="geheim", module_password="geheim", token="geheim").warning("x", url="https://u:geheim@h")
    log.info("raw", blob=b"geheim")
    try:
        password = "geheim"
        raise ValueError(f"cannot use {len(password)} characters")
    except ValueError:
        log.exception("it failed")
    assert "geheim" not in stream.getvalue()
    assert "(6 bytes)" in stream.getvalue()
    assert "ValueError: cannot use 6 characters" in stream.getvalue()


def test_what_is_too_long_is_cut() -> None:
    stream = to()
    log.info("x" * 100_000, html="y" * 100_000)
    assert len(lines(stream)[0]["message"]) == MAX_CHARACTERS + 1
    assert len(lines(stream)[0]["html"]) == MAX_CHARACTERS + 1


def test_values_that_json_does_not_know_are_written_as_text() -> None:
    stream = to()
    log.info("x", error=ValueError("boom"), where=object, odd="\ud800")
    assert len(stream.getvalue().splitlines()) == 1
    assert lines(stream)[0]["error"] == "boom"


def test_libraries_are_led_in_and_urls_of_callbacks_are_not() -> None:
    stream = to(level="debug")
    logging.getLogger("some.library").warning("it said %s {and} <b>so</b>", "this")
    logging.getLogger("httpx").info("HTTP Request: POST https://n8n.example/webhook-waiting/1?signature=x")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second = lines(stream)
    assert first["message"] == "it said this {and} <b>so</b>"
    assert (first["logger"], first["level"]) == ("some.library", "warning")
    assert second["logger"] == "py.warnings"


def test_text_is_for_people() -> None:
    stream = to("text")
    log.bind(job_id="j").info("job ended", status="failed")
    assert "INFO    job ended  worker_id=w1 job_id=j status=failed\n" in stream.getvalue()


FORGED = "12:00:00.000 INFO    job ended  worker_id=w1 job_id=b-1 status=failed"
FIELD = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |$)')
NASTY = st.text(st.characters() | st.sampled_from('\n\r\x1b\x9b\x7f\u2028\u2029\u202e\x85\x0b\x0c\x1c\ud800 ="'))


def a_line(message: str, **fields: Any) -> str:
    """The written line, with the fields of the worker first."""
    stream = to("text")
    log.bind(job_id="a-1").bind(**fields).info("module: {}", message)
    return stream.getvalue()


@given(NASTY, NASTY)
@example(f"hello\n{FORGED}", f"x\r\n{FORGED}")
@example("x  job_id=b-1", "y job_id=b-1")
@example("\x1b]0;owned\x07\x1b[2J", "\x9b31m")
def test_a_module_writes_one_line_and_no_field_of_ours(message: str, value: str) -> None:
    text = a_line(message, module_note=value, **{f"module_{message[:20]}": "x"})
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert text[:-1].isprintable() or not [c for c in text[:-1] if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    said, fields = text[len("12:00:00.000 INFO    ") : -1].split("  ", 1)
    assert said.startswith("module:")
    found = FIELD.findall(fields)
    assert " ".join(f"{name}={quoted}" for name, quoted in found) == fields
    assert found[:2] == [("worker_id", "w1"), ("job_id", "a-1")]
    assert [name.partition("_")[0] for name, _ in found[2:]] == ["module", "module"]


def test_a_traceback_is_indented_so_that_its_text_begins_no_line() -> None:
    stream = to("text")
    try:
        raise ValueError(f"boom\n{FORGED}\x1b[2J\r")
    except ValueError:
        log.exception("it failed")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("it failed  worker_id=w1")
    assert all(line.startswith("    | ") for line in rest)
    assert "    | " + FORGED + "\\x1b[2J\\r" in rest


def test_a_value_with_spaces_is_quoted() -> None:
    assert a_line("x", note='a b="c"', empty="", plain="a:b").endswith('note="a b=\\"c\\"" empty="" plain=a:b\n')


@given(NASTY)
def test_a_json_line_is_safe_on_a_terminal(message: str) -> None:
    stream = to()
    log.bind(note=message).info("{}", message)
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert not [c for c in text[:-1] if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert "\u202e" not in text
    assert lines(stream)[0]["note"] == message.encode("utf-8", "backslashreplace").decode()


def test_the_lines_of_a_job_cost_little() -> None:
    """The budget is 0.2 ms per job. Measured: 0.02 ms. Four times as much still passes on a busy machine."""
    to()
    count = 2000
    began = time.process_time()
    for number in range(count):
        bound = log.bind(job_id=f"job-{number}", tenant_id="acme", trace_id="0" * 32, attempt=1)
        bound.debug("job starts", module="shop.product", module_version="1.0.0")
        bound.info("job ended", status="succeeded", module="shop.product", queued_seconds=0.1, ran_seconds=0.3)
    assert (time.process_time() - began) / count < 0.0002


@pytest.mark.parametrize("format_", ["json", "text"])
def test_lines_are_kept_as_json_and_masked(format_: Format) -> None:
    kept = RecentLines()
    keep_lines(kept)
    mask_lines(lambda text: text.replace("hunter2", "(secret)"))
    to(format_)
    log.bind(job="acme/17").warning("it is hunter2")
    log.debug("below the level")
    (line,) = kept.after(0)
    told = json.loads(line.text)
    assert (told["message"], told["job"], told["level"]) == ("it is (secret)", "acme/17", "warning")
    assert line.level == logging.WARNING


def test_lines_are_kept_although_stdout_is_full() -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError("no space")

    kept = RecentLines()
    keep_lines(kept)
    log_to(LogSettings(), Full())
    log.info("ready")
    assert len(kept.after(0)) == 1


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_text_has_colours_on_a_terminal_and_json_never(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        log_to(LogSettings(format="text"), terminal)
        log.info("hello")
        assert (b"\x1b[32m" in os.read(ours, 1000)) is coloured
        log_to(LogSettings(format="json"), terminal)
        log.info("hello")
        assert b"\x1b" not in os.read(ours, 1000)
    os.close(ours)


@pytest.mark.parametrize("form", ["json", "text"])
def test_lines_to_the_journal_have_priorities(form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    status = os.fstat(theirs)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    with os.fdopen(theirs, "w") as stream, os.fdopen(ours) as journal:
        log_to(LogSettings(format=form), stream, worker_id="w1")
        log.info("one")
        try:
            raise ValueError("two")
        except ValueError as error:
            log.opt(exception=error).error("failed")
        stream.close()
        written = journal.read().splitlines()
    assert written[0][:3] == "<6>"
    assert {line[:3] for line in written[1:]} == {"<3>"}
    assert "one" in written[0]
    assert (len(written) > 2) is (form == "text"), "each line of a traceback is a line of the journal"
