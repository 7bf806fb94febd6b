"""What plugin and process say to each other survives the line that carries it."""

import msgspec

from pageworker_author.job_messages import RunAnswer, TestedResult, TestedRun
from pageworker_supervisor.contract.result import ResultError


def test_a_result_is_read_back() -> None:
    error = ResultError(type="sold_out", message="a\nb", retryable=False, detail={"a": [1]})
    answer = RunAnswer(result=TestedResult(status="failed", error=error, not_recorded=("GET http://a/",)))
    line = msgspec.json.encode(answer)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=RunAnswer) == answer


def test_a_payload_may_be_of_any_type() -> None:
    wanted = TestedRun(folder="f", payload=[1, None, {"a": "b"}], har="h")
    assert msgspec.json.decode(msgspec.json.encode(wanted), type=TestedRun) == wanted
