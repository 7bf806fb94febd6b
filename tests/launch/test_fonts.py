"""Which scripts the fonts of this host cover, and whether pages in a sandbox show the same."""

import re
from pathlib import Path

import pytest
from pw_runner.bundles import handler
from pw_runner.sandboxed import Sandboxed
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL

from pageworker_sandbox.launch import fonts
from pageworker_sandbox.launch.checks import check_fonts
from pageworker_sandbox.launch.fonts import SCRIPTS, InstalledFont, installed_fonts, missing_scripts

WIDTHS = '''
await page.set_content("<style>body{font:40px sans-serif} span{display:inline-block}</style>")
await page.evaluate("""characters => {
    for (const textContent of characters)
        document.body.append(Object.assign(document.createElement("span"), {textContent}))
}""", payload["characters"])
return {"widths": await page.eval_on_selector_all("span", "all => all.map(one => one.getBoundingClientRect().width)")}
'''
NO_CHARACTER = "\U0010ffff"


@pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=lambda browser: browser.name)
async def test_pages_in_a_sandbox_show_text_in_every_script(browser: Path) -> None:
    """The right value: a character that no font has is a box, and all others have other widths."""
    characters = sorted(set("".join(SCRIPTS.values())))
    runner = await Sandboxed(browser).start()
    try:
        report = await runner.run(handler(WIDTHS), {"characters": [NO_CHARACTER, *characters]})
    finally:
        await runner.close()
    box, *widths = report.data["widths"]
    shown_as_box = {one for one, width in zip(characters, widths, strict=True) if width == box}
    assert [script for script, text in SCRIPTS.items() if set(text) & shown_as_box] == missing_scripts(
        installed_fonts()
    )
    assert shown_as_box == set(), "install.sh installs a font for each of them"


def test_install_sh_installs_the_fonts_that_the_check_asks_for() -> None:
    named = re.findall(r":(fonts-[\w-]+)", (Path(__file__).parents[2] / "install.sh").read_text())
    assert set(named) - {"fonts-dejavu-core"} == set(fonts.PACKAGES)


def test_the_check_names_the_scripts_without_a_font(monkeypatch: pytest.MonkeyPatch) -> None:
    dejavu = [font for font in installed_fonts() if "dejavu" in font.file.parts]
    monkeypatch.setattr(fonts, "installed_fonts", lambda: dejavu)
    check = check_fonts()
    assert not check.ok
    assert "no font for" in check.found
    assert {"Chinese", "Japanese", "Korean", "Hindi", "emoji"} <= set(missing_scripts(dejavu))
    assert "Latin" not in missing_scripts(dejavu)
    assert "fonts-wqy-zenhei" in check.mend


def test_a_font_that_no_sandbox_has_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FONTS", ("/nonexistent",))
    assert installed_fonts() == []
    assert missing_scripts([]) == list(SCRIPTS)


def test_emoji_need_a_color_font() -> None:
    file, everything = Path("/usr/share/fonts/x.ttf"), frozenset("".join(SCRIPTS.values()))
    assert missing_scripts([InstalledFont(file, color=False, characters=everything)]) == ["emoji"]
    assert missing_scripts([InstalledFont(file, color=True, characters=everything)]) == []
    assert missing_scripts([InstalledFont(file, color=True, characters=everything - {"한"})]) == ["Korean"]


def test_a_host_without_the_library_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "LIBRARY", "libfontconfig.so.none")
    check = check_fonts()
    assert not check.ok
    assert "libfontconfig.so.none" in check.found
    assert "chromium" in check.mend
