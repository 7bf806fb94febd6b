"""The files of a job: their names, where each comes from, and what is wrong with them. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.type_names import describe_pattern, in_words

FILE_NAME = describe_pattern(
    r"^(?!\.)[^/\\\x00-\x1f\x7f]{1,128}\Z", "1-128 characters without a dot in front, `/`, `\\` and control characters"
)
"""It becomes the name of the file in a form. It is never part of a path."""
FILE_ID = describe_pattern(r"^f_[0-9]{10}_[0-9a-f]{32}\Z", "a `file_id` that POST /v1/files has returned")
SHA256 = describe_pattern(r"^[0-9a-f]{64}\Z", "64 lower-case hex digits")
MAX_FILES = 16
"""Per job."""
MAX_FILES_TEXT_BYTES = 32 * 1024
"""Of JSON, for the field of a job."""
FORM = "a file has `name`, and `file_id` or `url`; `sha256` is optional"


class NamedFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A file that a job brings along: uploaded before (`file_id`), or fetched by the worker (`url`)."""

    name: Annotated[str, Meta(pattern=FILE_NAME)]
    file_id: Annotated[str, Meta(pattern=FILE_ID)] | None = None
    url: Annotated[str, Meta(min_length=8, max_length=4096)] | None = None
    sha256: Annotated[str, Meta(pattern=SHA256)] | None = None
    """Hex. If the bytes have another digest, the job is rejected."""


def check_files(files: Sequence[NamedFile]) -> None:
    """Raises ContractError for what the types cannot express."""
    if len(files) > MAX_FILES:
        raise ContractError("too_large", "files", f"has at most {MAX_FILES} files, this job has {len(files)}")
    seen: set[str] = set()
    for number, file in enumerate(files):
        at = f"files[{number}]"
        if file.name in seen:
            raise ContractError("invalid_field", f"{at}.name", f"names `{file.name}` a second time", "rename one")
        seen.add(file.name)
        if (file.file_id is None) == (file.url is None):
            raise ContractError("invalid_field", at, "needs either `file_id` or `url`", "give one of the two")
        if file.url is not None and CallbackTarget.parse(file.url) is None:
            rule = "expected an absolute http:// or https:// URL without a user and without `..`"
            raise ContractError("invalid_field", f"{at}.url", rule)
    if len(msgspec.json.encode(files)) > MAX_FILES_TEXT_BYTES:
        raise ContractError("too_large", "files", f"has at most {MAX_FILES_TEXT_BYTES} bytes of JSON")


def files_error(untrusted_files: Any) -> ContractError:
    """Why the decoder did not take this value of the field `files`."""
    if not isinstance(untrusted_files, list):
        hint = 'write [{"name": "claim.pdf", "file_id": "f_…"}]'
        return ContractError("invalid_field", "files", "expected a list of files", hint)
    for number, file in enumerate(untrusted_files):
        try:
            msgspec.convert(file, NamedFile)
        except msgspec.ValidationError as error:
            rule, _, path = str(error).partition(" - at `$")
            inner = path.strip("`")
            pattern = {"name": FILE_NAME, "file_id": FILE_ID, "sha256": SHA256}.get(inner.lstrip("."))
            if pattern is not None and isinstance(file, dict) and isinstance(file.get(inner.lstrip(".")), str):
                rule = f"expected {in_words(pattern)}"
            return ContractError("invalid_field", f"files[{number}]{inner}", rule[:1].lower() + rule[1:], FORM)
    return ContractError("invalid_field", "files", "expected a list of files", FORM)
