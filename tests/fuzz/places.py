"""Where the suite keeps what it needs and what it finds."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements" / "fuzz.txt"
COMMITTED = Path(__file__).parent / "corpus"
"""Small inputs that cover what is known, by target."""
WORK = ROOT / ".fuzz"
"""Not in git. `site`: atheris. `corpus`: what runs have found. `findings`: inputs that show a mistake."""
SITE = WORK / "site"
FOUND = WORK / "corpus"
FINDINGS = WORK / "findings"
