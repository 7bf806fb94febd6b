"""The payload that `workerctl module run` gets, and where in it a mistake is."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pageworker_supervisor.cli.json_lines import Step, lines_of
from pageworker_supervisor.cli.output import CommandError
from pageworker_supervisor.contract.job import MAX_JOB_BYTES, too_deep
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.input_schema.errors import PayloadInvalid

EXAMPLE = "input.example.json"
"""File in a module's folder with the payload of a run that names none. `workerctl module new` writes it."""
_BYTE = re.compile(r"\(byte (\d+)\)")


@dataclass(frozen=True)
class GivenPayload:
    """A payload as JSON text, and the file or option that it comes from."""

    text: str
    source: str

    def explain(self, invalid: PayloadInvalid) -> list[str]:
        """One line per mistake: file and line, the field, the rule."""
        lines = {_field(path): line for path, line in lines_of(self.text).items()}
        return [f"{self.source}:{_line(mistake.field, lines)}: {printable(mistake)}" for mistake in invalid.mistakes]


def read_payload(option: str | None, folder: Path) -> GivenPayload:
    """The payload that `--payload` names: JSON, `@FILE`, or `-` for stdin. None: the folder's example, else `{}`.

    Raises CommandError for a file that cannot be read and for a text that is no JSON.
    """
    if option is None:
        file = folder / EXAMPLE
        given = GivenPayload(_text(file), str(file)) if file.is_file() else GivenPayload("{}", "--payload")
    elif option == "-":
        given = GivenPayload(_decoded(sys.stdin.buffer.read(MAX_JOB_BYTES + 1), "stdin"), "stdin")
    elif option.startswith("@"):
        given = GivenPayload(_text(Path(option[1:])), option[1:])
    else:
        given = GivenPayload(option, "--payload")
    _check(given)
    return given


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return _decoded(opened.read(MAX_JOB_BYTES + 1), str(file))
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", "Name a file with JSON: --payload @FILE.") from error


def _decoded(untrusted_bytes: bytes, source: str) -> str:
    try:
        return untrusted_bytes.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = untrusted_bytes.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{source}:{line}: bytes that are not UTF-8", "Save the file as UTF-8.") from error


def _check(given: GivenPayload) -> None:
    text = given.text.encode(errors="surrogateescape")
    if len(text) > MAX_JOB_BYTES:
        raise CommandError(f"{given.source}: a payload of more than {MAX_JOB_BYTES} bytes")
    if too_deep(text):
        raise CommandError(f"{given.source}: the payload is nested too deeply")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        at = _BYTE.search(str(error))
        line = text.count(b"\n", 0, int(at[1])) + 1 if at else text.count(b"\n") + 1
        raise CommandError(
            f"{given.source}:{line}: the payload is no JSON: {error}",
            'Write it in single quotes, --payload \'{"url": "…"}\', or put it into a file: --payload @FILE.',
        ) from error
    if not isinstance(value, dict):
        raise CommandError(f"{given.source}:1: a payload is a JSON object", 'Write --payload \'{"url": "…"}\'.')


def _field(path: tuple[Step, ...]) -> str:
    """The name of a field as `PayloadMistake` writes it."""
    return "payload" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _line(field: str, lines: dict[str, int]) -> int:
    """The line of a field. One that is missing has the line of the object that lacks it."""
    while field not in lines:
        shorter = max(field.rfind("."), field.rfind("["))
        if shorter < 0:
            return 1
        field = field[:shorter]
    return lines[field]
