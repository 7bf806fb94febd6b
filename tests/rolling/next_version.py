"""The version after this one: it has one more field of a job, which changes Redis Functions. CONTRIBUTING.md shows how.

The field is the example of CONTRIBUTING.md: `max_crashes`, after how many crashes a job is dead.
"""

from dataclasses import dataclass
from pathlib import Path

S = Path("supervisor/pageworker_supervisor")
NEW_FIELD = "max_crashes"


class EditMisplaced(Exception):
    """The text after which an edit adds something is not there exactly once. Adapt `EDITS` to the changed source."""


@dataclass(frozen=True)
class SourceEdit:
    """Puts `added` behind `anchor`, or in place of it (`replaces`)."""

    file: Path
    anchor: str
    added: str
    replaces: bool = False

    def apply(self, text: str) -> str:
        """The edited text. Raises EditMisplaced."""
        if text.count(self.anchor) != 1:
            raise EditMisplaced(f"{self.file} has {text.count(self.anchor)} times: {self.anchor}")
        return text.replace(self.anchor, self.added if self.replaces else self.anchor + self.added)


EDITS = (
    SourceEdit(
        S / "contract/job.py",
        "    max_retries: Annotated[int, Meta(ge=0, le=20)] | None = None\n",
        "    max_crashes: Annotated[int, Meta(ge=1, le=20)] | None = None\n",
    ),
    SourceEdit(
        S / "intake/admission.py",
        "            attempts_used=job.retry_count,\n",
        "            max_crashes=job.max_crashes,\n",
    ),
    SourceEdit(S / "queue/producer.py", "    attempts_used: int = 0\n", "    max_crashes: int | None = None\n"),
    SourceEdit(
        S / "queue/producer.py",
        '            "attempts_used": self.attempts_used,\n',
        '            "max_crashes": self.max_crashes,\n',
    ),
    SourceEdit(
        S / "queue/library.py",
        '    "attempts_used": "attempts that were charged",\n',
        '    "max_crashes": "after how many crashes it is dead",\n',
    ),
    SourceEdit(
        S / "queue/lua/fn_enqueue.lua",
        "  call('SET', Key.body(id), new.body)\n",
        "  if new.max_crashes then\n    call('HSET', Key.job(id), 'max_crashes', new.max_crashes)\n  end\n",
    ),
    SourceEdit(
        S / "queue/lua/job.lua",
        "  if crashes >= CRASHES then\n",
        "  if crashes >= (tonumber(job.max_crashes) or CRASHES) then\n",
        replaces=True,
    ),
)


def make_next_version(tree: Path) -> None:
    """Change the sources below `tree`. Raises EditMisplaced."""
    for edit in EDITS:
        file = tree / edit.file
        file.write_text(edit.apply(file.read_text()))
