"""The pytest plugin of module authors: fixtures `run_job` and `page`. docs/modules.md shows tests.

Every pytest of this environment loads this file. So it imports nothing of pageworker before a test uses a fixture.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Page

    from pageworker_author.job_client import JobClient
    from pageworker_author.job_messages import TestedResult
    from pageworker_author.plain_page import PlainBrowser

RECORD, CONFIG, SECRETS = "pageworker_record", "pageworker_config", "pageworker_secrets"
MANIFEST = "module.toml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`workerctl module test` gives these options."""
    group = parser.getgroup("pageworker")
    group.addoption("--pageworker-record", action="store_true", help="record the HAR files of tests of modules")
    group.addoption("--pageworker-config", metavar="FILE", help="configuration of a worker")
    group.addoption("--pageworker-secrets", metavar="FILE", help="secrets and proxies, for --pageworker-record")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "har(name): the HAR file of a module's test is tests/NAME.har")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    """Make the package of the module importable for its tests."""
    folder = module_folder(file_path.parent) if file_path.suffix == ".py" else None
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@cache
def module_folder(folder: Path) -> Path | None:
    """The module that a folder belongs to: the nearest one above with a module.toml."""
    return next((each for each in (folder, *folder.parents) if (each / MANIFEST).is_file()), None)


@pytest.fixture(scope="session")
def pageworker_jobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator["JobClient"]:
    """The process that runs the jobs of this session."""
    from pageworker_author.job_client import JobClient
    from pageworker_author.job_messages import ServerOptions

    config = request.config
    artifacts = tmp_path_factory.mktemp("artifacts")
    options = ServerOptions(
        artifacts=str(artifacts),
        record=config.getoption(RECORD),
        config=_absolute(config.getoption(CONFIG)),
        secrets=_absolute(config.getoption(SECRETS)),
    )
    client = JobClient(options)
    yield client
    client.close()


@pytest.fixture
def run_job(request: pytest.FixtureRequest, pageworker_jobs: "JobClient") -> Callable[..., "TestedResult"]:
    """Runs the module once per call, in the sandbox of a worker, and returns the result.

        def test_a_price(run_job):
            result = run_job({"url": "https://shop.example/p/1"})
            assert result.data["price"] == "19.90"

    Its requests are answered from `tests/NAME.har`, and nothing goes out. NAME is that of the test; the second call of
    a test uses `NAME-2.har`. `har="NAME"`, or the marker `har`, names another file: it is recorded only while it does
    not exist. Raises JobNotRun if there is no result.
    """
    from pageworker_author.job_messages import TestedRun

    tests, folder, marked = _place(request)
    calls = 0

    def run(
        payload: Any = None, *, har: str | None = None, tenant: str = "default", timeout_seconds: float | None = None
    ) -> "TestedResult":
        nonlocal calls
        calls += 1
        given = har or marked
        file = tests / f"{given or har_name(request.node.name, calls)}.har"
        wanted = TestedRun(
            folder=str(folder),
            payload={} if payload is None else payload,
            har=str(file),
            record=request.config.getoption(RECORD) and not (given and file.exists()),
            tenant=tenant,
            timeout_seconds=timeout_seconds,
        )
        return pageworker_jobs.run(wanted)

    return run


@pytest.fixture(scope="session")
def pageworker_browser() -> Iterator["PlainBrowser"]:
    """The browser of the fixture `page`."""
    from pageworker_author.plain_page import PlainBrowser

    browser = PlainBrowser()
    yield browser
    browser.close()


@pytest.fixture
def page(request: pytest.FixtureRequest, pageworker_browser: "PlainBrowser") -> Iterator["Page"]:
    """Playwright's page, for tests of single functions: `async def test_…(page)`. It is outside of any sandbox.

    It has the options of module.toml. Its requests are answered from `tests/NAME.har` if there is one, and refused if
    not: use `page.set_content`.
    """
    tests, folder, marked = _place(request)
    har = tests / f"{marked or har_name(request.node.name, 1)}.har"
    opened = pageworker_browser.run(pageworker_browser.open(folder, har))
    yield opened
    pageworker_browser.run(pageworker_browser.close_page(opened))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an `async def` test that uses our `page` on the event loop of the page."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or "pageworker_browser" not in pyfuncitem.fixturenames:
        return None
    browser: Any = pyfuncitem.funcargs["pageworker_browser"]  # Any: pytest's type for values of fixtures is `object`
    names = inspect.signature(pyfuncitem.obj).parameters
    browser.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def _place(request: pytest.FixtureRequest) -> tuple[Path, Path, str | None]:
    """The folder of the test, that of its module, and the name of the HAR file that a marker gives."""
    tests = request.path.parent
    folder = module_folder(tests)
    if folder is None:
        raise pytest.UsageError(f"{tests} is not in the folder of a module: none above it has a {MANIFEST}")
    marker = request.node.get_closest_marker("har")
    return tests, folder, str(marker.args[0]) if marker is not None else None


def har_name(test: str, call: int) -> str:
    """The name of a test's HAR file, without its ending. `call`: from 1."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", test.removeprefix("test_")).strip("-.")
    return name if call == 1 else f"{name}-{call}"


def _absolute(file: str | None) -> str | None:
    return None if file is None else str(Path(file).absolute())
