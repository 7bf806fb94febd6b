"""Reads the query of a request. Pure."""

import math
import re
from collections.abc import Collection, Mapping, Sequence

from pageworker_supervisor.api.problem import ApiProblem

_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,6}", re.ASCII)
SHOWN = 60


def check_names(untrusted_pairs: Sequence[tuple[str, str]], known: Collection[str]) -> dict[str, str]:
    """The query as a map. Raises ApiProblem for an unknown field, and for one that stands there twice."""
    values: dict[str, str] = {}
    for name, value in untrusted_pairs:
        if name not in known:
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
            raise ApiProblem(
                "invalid_request", "The query has an unknown field", field=name[:SHOWN] or '""', hint=takes
            )
        if name in values:
            raise ApiProblem("invalid_request", f"The query has `{name}` twice", field=name)
        values[name] = value
    return values


def text_of(values: Mapping[str, str], name: str, longest: int) -> str:
    """A text, "" without the field. Raises ApiProblem."""
    text = values.get(name, "")
    if len(text) > longest:
        raise ApiProblem("invalid_request", f"`{name}` has at most {longest} characters", field=name)
    return text


def count_of(values: Mapping[str, str], name: str, most: int, default: int | None = None) -> int:
    """A whole number from 1 on. Without the field: `default`, or `most` without that. Raises ApiProblem."""
    text = values.get(name, str(default or most))
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= most:
        raise ApiProblem("invalid_request", f"`{name}` is a whole number, 1 to {most}", field=name)
    return int(text)


def choice_of(values: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """One of the choices, the first without the field. Raises ApiProblem."""
    text = values.get(name, choices[0])
    if text not in choices:
        raise ApiProblem("invalid_request", f"`{name}` is one of {', '.join(choices)}", field=name)
    return text


def seconds_of(values: Mapping[str, str], name: str, most: float) -> float:
    """A number of seconds, 0 without the field. Raises ApiProblem."""
    text = values.get(name, "0")
    if not _NUMBER.fullmatch(text) or not 0 <= (seconds := float(text)) <= most or math.isnan(seconds):
        raise ApiProblem("invalid_request", f"`{name}` is a number of seconds, 0 to {most:g}", field=name)
    return seconds
