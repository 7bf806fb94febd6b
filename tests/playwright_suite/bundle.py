"""The module that runs the suite's tests: our shims, and the suite's files from the checkout."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pageworker_demo.toml import toml_text
from playwright_suite.sandboxed.shipped import FOLDER, SHIPPED

HERE = Path(__file__).parent
MODULE = "playwright.suite"
CONTROL_HOST = "control.test"
HOSTS = ("localhost", "127.0.0.1", CONTROL_HOST)
SHIMMED = ("conftest.py", "server.py", "__init__.py")


def write_suite_module(checkout: Path, folder: Path) -> Path:
    """Write it below `folder`. The checkout's files stay where they are; the copy goes with the folder."""
    module = folder / MODULE
    shutil.copytree(HERE / "sandboxed", module, ignore=shutil.ignore_patterns("__pycache__", "suite_types.py"))
    tests = checkout / "tests"
    _copy(tests.glob("*.py"), module / "tests")
    _copy((tests / "async").glob("*.py"), module / "tests/async")
    for place in ("tests", "tests/async"):
        shutil.copy(HERE / "sandboxed/suite_types.py", module / place / "conftest.py")
    shutil.copytree(tests / "assets", module / "tests/assets")
    for test, files in SHIPPED.items():
        for path, text in files.items():
            file = module / "tests" / FOLDER / test / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    manifest = {"name": MODULE, "version": "1.0.0", "entrypoint": "suite_job:handler", "sdk": ">=1,<2"}
    (module / "module.toml").write_text(toml_text({**manifest, "egress": list(HOSTS)}))
    return module


def _copy(sources: Iterable[Path], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for source in sources:
        if source.name not in SHIMMED:
            shutil.copy(source, folder / source.name)
