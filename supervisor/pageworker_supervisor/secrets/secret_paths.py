"""Where the files of a secret backend are. A worker reads them again when they change, so it needs access for good."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pageworker_supervisor.config.secret_settings import SecretSettings

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""Set by systemd for a unit with credentials. Source: systemd.exec(5)."""

AWS_FILES = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "",
}
"""Variables that name files of boto3, and its defaults. Source: boto3's guide, Credentials."""


def secret_folder(settings: SecretSettings, environ: Mapping[str, str]) -> Path | None:
    """The folder of the secrets. None: the backend has none, or nothing names it. `environ`: that of the worker."""
    match settings.backend:
        case "files":
            return settings.files.folder
        case "systemd":
            named = environ.get(CREDENTIALS_DIRECTORY)
            return settings.systemd.folder or (Path(named) if named else None)
        case _:
            return None


def secret_paths(settings: SecretSettings, environ: Mapping[str, str]) -> Iterator[Path]:
    """That folder, the folders of tenants, and each file, as far as this process may look into them.

    Of the backend `aws` the files of boto3 that exist.
    """
    if settings.backend == "aws":
        named = (Path(environ.get(name) or default).expanduser() for name, default in AWS_FILES.items())
        yield from (path for path in named if path.is_file())
    top = secret_folder(settings, environ)
    if top is None:
        return
    yield top
    for entry in _content(top):
        yield entry
        yield from _content(entry)


def _content(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
