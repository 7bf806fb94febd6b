"""`workerctl module test examples/shop_trouble`: a captcha and a shop that is down are results, too."""

from collections.abc import Callable
from typing import Any

URL = "http://shop.example/"


def test_reports_a_captcha(run_job: Callable[..., Any]) -> None:
    result = run_job({"url": URL, "mode": "captcha"})
    assert (result.status, result.blocker.kind, result.blocker.provider) == ("blocked", "captcha", "shopguard")


def test_a_shop_that_is_down_may_be_tried_again(run_job: Callable[..., Any]) -> None:
    result = run_job({"url": URL, "mode": "failing"})
    assert (result.error.type, result.error.retryable) == ("shop_unavailable", True)
    assert result.error.detail["status"] == 503
