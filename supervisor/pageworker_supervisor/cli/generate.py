"""Writes everything that is generated from the commands: `python -m pageworker_supervisor.cli.generate`.

Run it in the folder of the repository after a change of a command, its docstring, or what it prints with `--json`.
"""

from pathlib import Path

from pageworker_supervisor.cli.help_page import FOLDER
from pageworker_supervisor.cli.help_pages import every_command, pages
from pageworker_supervisor.cli.json_schema import PRINTED, file_of, generated
from pageworker_supervisor.cli.man_page import man_page
from pageworker_supervisor.cli.reference import reference

SCHEMAS = Path(__file__).parent / "schemas"


def write_all(docs: Path) -> None:
    """Write the pages of `--help` and the schemas into the package, man page and reference into the folder `docs`."""
    _replace(FOLDER, {name: text.encode() for name, text in pages().items()})
    _replace(SCHEMAS, {file_of(command): generated(command) for command in PRINTED})
    # Both are made from the pages that were just written.
    (docs / "workerctl.1").write_text(man_page(path for path, _ in every_command()), encoding="utf-8")
    (docs / "workerctl.md").write_text(reference(), encoding="utf-8")


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        if file.name not in files:
            file.unlink()
    for name, text in files.items():
        (folder / name).write_bytes(text)


if __name__ == "__main__":
    write_all(Path("docs"))
