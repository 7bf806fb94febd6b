"""Why a job is rejected before any of it runs. The sender has to correct it."""

from dataclasses import dataclass
from typing import Literal

from pageworker_supervisor.contract.printable import printable

ErrorType = Literal[
    "invalid_json",
    "unknown_field",
    "invalid_field",
    "missing_field",
    "too_large",
    "not_supported",
]


# Not frozen: Python sets attributes of an exception, for instance its traceback when it leaves an `async with`.
@dataclass(eq=False)
class ContractError(Exception):
    """One broken rule of the job contract.

    `field` is the dotted path ("payload.url"; "" for the whole text). `rule` is what was expected. `hint` is how to fix
    it. Never retryable: the same text fails the same way.
    """

    type: ErrorType
    field: str
    rule: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"`{self.field}`: " if self.field else ""
        return printable(f"{where}{self.rule}" + (f"; {self.hint}" if self.hint else ""))
