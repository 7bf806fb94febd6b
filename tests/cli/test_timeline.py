"""A job's history for people."""

from pageworker_supervisor.cli.timeline import HEADS, completed, rows
from pageworker_supervisor.contract.job_history import CALLBACK_CODES, EVENT_WORDS, HistoryLine, parse_history
from pageworker_supervisor.contract.job_state import JobEvent
from pageworker_supervisor.queue.job_details import JobDetails

USED = '{"attempt":1,"module":"m.x","module_version":"1.0.0","module_digest":"abcdef0123456789ff","config_version":4'
LOST = f'{{"worker":"w1","token":"t1","used":{USED},"runner_id":"w1.1","page":0,"outcome":"lost","error":"killed"}}}}'
TEXT = f"q3e8\nc3e9\nb3ea\nk7d0{LOST}\n*3\nc7d1\nb7d2".encode()


def details(state: str = "running", text: bytes = TEXT) -> JobDetails:
    used = {"attempt": 2, "runner_id": "w2.1"} if state == "running" else None
    history = tuple(parse_history(text))
    return JobDetails(job_id="1", tenant_id="a", state=state, worker="w2", token="t2", used=used, history=history)


def test_every_event_has_words() -> None:
    assert set(EVENT_WORDS) == {event.value for event in JobEvent} | set(CALLBACK_CODES)


def test_a_claim_and_a_beginning_get_the_facts_of_their_own_lease() -> None:
    _, claim, begin, crash, _, now, running = completed(details())
    assert claim.facts == {"worker": "w1", "token": "t1"}
    assert begin.facts == crash.facts
    assert now.facts == {"worker": "w2", "token": "t2"}
    assert running.facts["used"]["runner_id"] == "w2.1"


def test_a_claim_whose_end_is_dropped_has_no_facts_of_another_lease() -> None:
    lines = completed(details("delayed", b'c1\nc2\nd3{"worker":"w1","token":"t1"}'))
    assert [line.facts.get("token") for line in lines] == [None, "t1", "t1"]


def test_rows_tell_when_where_and_what() -> None:
    shown = list(rows(completed(details())))
    assert all(len(row) == len(HEADS) for row in shown)
    assert shown[0] == ("1970-01-01T00:00:01.000", "", "queued", "", "", "")
    assert shown[1][2:4] + shown[1][5:] == ("claimed", "w1", "lease t1")
    assert shown[2][4:] == (1, "m.x@1.0.0 sha256 abcdef0123456789, config 4, runner w1.1, page 0, lost, killed")
    assert shown[3][1:3] == ("+0.998 s", "runner died")
    assert shown[4][2] == "3 transitions are not kept"


def test_a_callback_tells_how_it_was_delivered() -> None:
    line = HistoryLine(event="callback_delivered", at_ms=5, facts={"worker": "w3", "status": 204, "tries": 2})
    assert next(iter(rows([line])))[2:] == ("callback delivered", "w3", "", "HTTP 204, try 2")
