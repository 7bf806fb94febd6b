"""One Python file of a module: what a sandbox refuses, and what blocks other jobs."""

import pytest

from pageworker_supervisor.registry.lint_source import ModuleNames, lint_hooks, lint_source

NAMES = ModuleNames(
    ("shop/__init__.py", "shop/parse.py", "shop/data/x.csv", "single.py"), ("Failed", "Helpers", "Page")
)


def found(source: str) -> list[tuple[int, str, str]]:
    return [(each.line, each.severity, each.message) for each in lint_source("shop/a.py", source.encode(), NAMES)]


@pytest.mark.parametrize(
    "source",
    [
        "import json, asyncio, playwright.async_api, msgspec, shop.parse, single",
        "from pageworker import Failed, Page",
        "from pageworker import *",
        "from shop import parse, data",
        "from . import parse",
        "try:\n    import numpy\nexcept ImportError:\n    numpy = None",
        "try:\n    import numpy\nexcept (KeyError, Exception):\n    numpy = None",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy",
        "import typing\nif typing.TYPE_CHECKING:\n    import numpy",
        "async def f():\n    await asyncio.sleep(1)\n    page.open('x')",
        "def broken(:",
    ],
)
def test_what_a_sandbox_has_is_not_reported(source: str) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "line", "severity", "message"),
    [
        ("import json\nimport numpy.linalg", 2, "error", "a sandbox has no package `numpy`"),
        ("from requests import get", 1, "error", "a sandbox has no package `requests`"),
        ("def f():\n    import numpy", 2, "error", "a sandbox has no package `numpy`"),
        ("try:\n    import numpy\nexcept KeyError:\n    pass", 2, "error", "a sandbox has no package `numpy`"),
        ("try:\n    pass\nexcept ImportError:\n    import numpy", 4, "error", "a sandbox has no package `numpy`"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import numpy", 4, "error", "a sandbox has no package `numpy`"),
        ("import shop.parser", 1, "error", "the folder has no module `shop.parser`"),
        ("from shop.parser import x", 1, "error", "the folder has no module `shop.parser`"),
        ("from playwright.sync_api import Page", 1, "error", "`playwright.sync_api` is refused in a job"),
        (
            "from playwright.async_api import async_playwright",
            1,
            "error",
            "`playwright.async_api.async_playwright` is refused in a job",
        ),
        ("from pageworker import Faild", 1, "error", "the SDK has no `Faild`"),
        (
            "import pageworker_runner.limits",
            1,
            "error",
            "`pageworker_runner` is no part of the SDK, and changes without notice",
        ),
        (
            "import subprocess",
            1,
            "warning",
            "`subprocess` imports, and then fails: a sandbox starts no processes",
        ),
        (
            "from urllib import request",
            1,
            "warning",
            "`urllib.request` imports, and then fails: a module has no network of its own",
        ),
        ("x = open('a')", 1, "warning", "a module has no files: `open` fails"),
        ("import time\ntime.sleep(1)", 2, "warning", "`time.sleep` stops all jobs of the runner"),
    ],
)
def test_what_fails_inside_is_reported_with_its_line(source: str, line: int, severity: str, message: str) -> None:
    assert found(source) == [(line, severity, message)]


def test_what_a_lock_file_pins_is_there_and_the_rest_may_come_with_it() -> None:
    names = ModuleNames(("shop/__init__.py",), (), {"dateutil", "yaml"})
    source = b"import dateutil.parser, numpy"
    (finding,) = lint_source("a.py", source, names)
    assert (finding.severity, finding.message) == (
        "warning",
        "no distribution of requirements.lock has the name `numpy`",
    )


def test_a_misspelt_name_of_the_sdk_has_the_right_one_as_its_fix() -> None:
    (finding,) = lint_source("a.py", b"from pageworker import Faild", NAMES)
    assert finding.fix == "did you mean `Failed`?"
    (finding,) = lint_source("a.py", b"from pageworker import xyz", NAMES)
    assert finding.fix == "docs/sdk-reference.md lists all names"


def test_hooks_are_coroutine_functions_with_four_parameters() -> None:
    good = b"async def before_job(page, payload, helpers, context): ...\nasync def after_job(*given): ...\n"
    assert list(lint_hooks("a.py", good)) == []
    wrong = b"def before_job(page, payload, helpers, context): ...\nasync def after_job(page, result): ...\n"
    assert [(each.line, each.message) for each in lint_hooks("a.py", wrong)] == [
        (1, "`before_job` is not `async def`"),
        (2, "`after_job` has 2 parameters, not 4"),
    ]
    assert "after_job(page, result, helpers, context)" in list(lint_hooks("a.py", wrong))[1].fix
    assert list(lint_hooks("a.py", b"def broken(:")) == []
