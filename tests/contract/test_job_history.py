"""Lines of a job's history: each event has its code, and foreign lines are shown, not trusted."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.job_history import CALLBACK_CODES, EVENT_CODES, parse_history
from pageworker_supervisor.contract.job_state import JobEvent


def test_each_event_has_a_code_of_its_own() -> None:
    codes = [*EVENT_CODES.values(), *CALLBACK_CODES.values()]
    assert set(EVENT_CODES) == set(JobEvent)
    assert len({*codes}) == len(codes)
    assert all(len(code) == 1 and code.isalpha() for code in codes)


def test_lines_have_event_time_and_facts() -> None:
    text = b'q19368f0a1b2\nc19368f0a1b3\n*17\nd19368f0a1c0{"worker":"w1","token":"t","reason":"a{b}"}\nD19368f0a1d0{}'
    queued, claimed, dropped, deferred, delivered = parse_history(text)
    assert (queued.event, queued.at_ms, queued.facts) == ("enqueue", 0x19368F0A1B2, {})
    assert queued.at is not None
    assert queued.at.timestamp() * 1000 == queued.at_ms
    assert (claimed.event, claimed.at_ms) == ("claim", 0x19368F0A1B3)
    assert (dropped.event, dropped.dropped, dropped.at) == ("dropped", 17, None)
    assert deferred.facts == {"worker": "w1", "token": "t", "reason": "a{b}"}
    assert delivered.event == "callback_delivered"
    assert parse_history(b"") == []


def test_what_cannot_be_read_is_shown_as_it_is() -> None:
    unknown, cut, bad = parse_history(b'Z19368f0a1b2\nq19368f0a1b2{"reason":"\xff\nq19368f0a1b2{"a":}')
    assert (unknown.event, unknown.facts) == ("unreadable", {"text": "Z19368f0a1b2"})
    assert cut.event == "unreadable"
    assert (bad.event, bad.facts) == ("enqueue", {"text": '{"a":}'})
    deep = '{"a":' + "[" * 2000 + "]" * 2000 + "}"
    assert [line.facts for line in parse_history(f"q19368f0a1b2{deep}".encode())] == [{"text": deep}]


@given(st.binary(max_size=200))
def test_any_bytes_are_read(untrusted_text: bytes) -> None:
    assert all(isinstance(line.event, str) for line in parse_history(untrusted_text))
