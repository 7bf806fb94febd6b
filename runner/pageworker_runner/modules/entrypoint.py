"""From `shop_product:handler` to what can be called."""

import importlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pageworker_runner.errors import ModuleBroken
from pageworker_runner.reporting.error_text import describe

Hook = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class ModuleEntrypoint:
    """What a module offers."""

    handler: Hook
    before_job: Hook | None
    after_job: Hook | None


def load(holder: str, label: str, entrypoint: str) -> ModuleEntrypoint:
    """Import the entrypoint below the package `holder`. Runs the module's top level. Raises ModuleBroken."""
    path, colon, name = entrypoint.partition(":")
    if not colon or not path or not name.isidentifier():
        raise ModuleBroken(f"entrypoint {entrypoint!r} is not `package:function`")
    try:
        module = importlib.import_module(f"{holder}.{path}")
        # Its names are foreign code too, where it has a `__getattr__`.
        handler, *hooks = (getattr(module, what, None) for what in (name, "before_job", "after_job"))
    except BaseException as error:
        raise ModuleBroken(f"can not be imported: {describe(error, label)}") from error
    for what, function in ((name, handler), ("before_job", hooks[0]), ("after_job", hooks[1])):
        if function is not None and not inspect.iscoroutinefunction(function):
            raise ModuleBroken(f"{path}:{what} is not an `async def`")
    if handler is None:
        raise ModuleBroken(f"{path} has no {name!r}")
    return ModuleEntrypoint(handler, hooks[0], hooks[1])
