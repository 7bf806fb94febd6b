"""Only correct results are measured."""

import pytest
from bench.page_parts import fields_of
from bench.process_tree import ProcessTree
from bench.run import WARM_UP, BenchRun, WrongResult
from bench.site import FILES, answer


def test_the_site_has_the_size_that_is_measured() -> None:
    assert 58_000 < len(answer("/p/7")) < 60_000
    assert len(FILES) == 8
    assert 297_000 < sum(len(body) for _, body in FILES.values()) < 299_000
    assert all(value in answer("/p/7").decode() for value in fields_of(7).values())
    assert b"no-store" in answer("/p/7")
    assert answer("/else").startswith(b"HTTP/1.1 404 Not Found")


def test_wrong_and_doubled_results_end_the_run() -> None:
    run = BenchRun(20, ProcessTree())
    run.result(1, fields_of(1))
    with pytest.raises(WrongResult):
        run.result(1, fields_of(1))
    with pytest.raises(WrongResult):
        run.result(2, fields_of(3))


def test_the_warm_up_is_left_out() -> None:
    run = BenchRun(WARM_UP + 2, ProcessTree())
    for number in range(WARM_UP + 2):
        assert not run.done
        run.result(number, fields_of(number))
    assert run.done
    sample = run.sample()
    assert sample.jobs_per_second > 0
    assert sample.first_result_seconds >= 0
