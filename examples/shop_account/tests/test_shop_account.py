"""`workerctl module test examples/shop_account`: a login with a secret. The .har files hold no password."""

from collections.abc import Callable
from typing import Any

from shop_account import log_in

FORM = (
    """<form action='/login' onsubmit='return false'><input name=user><input name=password><button>Go</button></form>"""
)


class FormHelpers:
    """In place of the helpers: this test runs one function of the module, on a page without a sandbox."""

    def __init__(self, page: Any) -> None:
        self.page, self.log, self.secrets = page, self, []

    async def fill_secret(self, selector: str, name: str) -> None:
        self.secrets.append(name)
        await self.page.fill(selector, "a secret")

    async def which(self, targets: dict[str, str]) -> str:
        return "in"

    def info(self, message: str, **fields: object) -> None:
        pass


async def test_fills_in_the_form(page: Any) -> None:
    helpers = FormHelpers(page)
    await page.set_content(FORM)
    await log_in(page, "ada", helpers)
    assert await page.input_value("[name=user]") == "ada"
    assert helpers.secrets == ["shop_login"]


def test_logs_in(run_job: Callable[..., Any]) -> None:
    result = run_job({"url": "http://shop.example/", "user": "ada"})
    assert result.data == {"member": "ada", "orders": 3, "logged_in_before": False}


def test_reports_a_refused_login(run_job: Callable[..., Any]) -> None:
    result = run_job({"url": "http://shop.example/", "user": "mallory"})
    assert (result.status, result.error.type) == ("failed", "login_refused")
