"""`workerctl module test examples/shop_product`: the shop answers from the .har files, so no shop has to run."""

from collections.abc import Callable
from typing import Any

KETTLE = {"url": "http://shop.example/products/KTL-01"}


def test_reads_a_product(run_job: Callable[..., Any]) -> None:
    result = run_job(KETTLE)
    assert result.data == {
        "title": "Enamel kettle",
        "price": "39.90",
        "currency": "EUR",
        "availability": "InStock",
        "sku": "KTL-01",
    }
    assert result.not_recorded == ()


def test_reports_a_product_that_does_not_exist(run_job: Callable[..., Any]) -> None:
    result = run_job({"url": "http://shop.example/products/NONE-00"})
    assert (result.status, result.error.type, result.error.retryable) == ("failed", "no_such_product", False)


def test_reports_a_changed_shop(run_job: Callable[..., Any]) -> None:
    """changed_shop.har is the product after the shop has renamed a class: the price is `.amount` now."""
    result = run_job(KETTLE, har="changed_shop")
    assert (result.status, result.error.type) == ("failed", "field_missing")
    assert "price" in result.error.message


def test_refuses_another_host(run_job: Callable[..., Any]) -> None:
    result = run_job({"url": "http://other.example/products/KTL-01"})
    assert (result.status, result.error.type) == ("rejected", "payload_invalid")
