"""The settings themselves: described, frozen, each section by itself."""

from functools import cache
from typing import get_args, get_origin

import msgspec
import pytest
from msgspec import Struct

from pageworker_supervisor.config import reference
from pageworker_supervisor.config.check import field_types
from pageworker_supervisor.config.section import Section
from pageworker_supervisor.config.settings import RedisSettings, Settings
from pageworker_supervisor.contract.type_names import first, is_struct


def sections(struct: type[Struct] = Settings, above: str = "") -> dict[str, type[Struct]]:
    """Every section by its name, those in others included. The tables of tenants and domains count as one each."""
    found: dict[str, type[Struct]] = {}
    for name, type_ in field_types(struct).items():
        inner = first(type_)
        if get_origin(inner) is dict:
            inner = first(get_args(inner)[1])
        if is_struct(inner):
            found |= {above + name: inner, **sections(inner, f"{above}{name}.")}
    return found


SECTIONS = sections()
FIELDS = [
    (name, section, field)
    for name, section in SECTIONS.items()
    for field in section.__struct_fields__
    if f"{name}.{field}" not in SECTIONS
]


descriptions = cache(reference.descriptions)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_stands_alone_and_refuses_unknown_keys(name: str) -> None:
    section = SECTIONS[name]
    assert issubclass(section, Section)
    assert section() == section()
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"nonsense": 1}, section)
    with pytest.raises(AttributeError, match="immutable"):
        setattr(section(), section.__struct_fields__[0], None)


@pytest.mark.parametrize(("name", "section", "field"), FIELDS, ids=str)
def test_every_setting_has_a_description_in_sentences(name: str, section: type[Struct], field: str) -> None:
    text = descriptions().get((section.__name__, field), "")
    assert text[:1].isupper() or text.startswith("`")
    assert text.endswith((".", "…"))


@pytest.mark.parametrize(("name", "section", "field"), FIELDS, ids=str)
def test_a_name_or_its_description_says_the_unit(name: str, section: type[Struct], field: str) -> None:
    text = descriptions()[section.__name__, field].lower()
    for ending, unit in (("_seconds", "seconds"), ("_bytes", "bytes"), ("_days", "days"), ("_files", "files")):
        if field.endswith(ending):
            assert unit in text


def test_a_password_is_in_no_text_of_a_section() -> None:
    settings = RedisSettings(url="redis://:geheim@h")
    assert "geheim" not in f"{settings} {settings!r}"
    assert settings.url == "redis://:geheim@h"
