"""What every section of the settings has in common."""

from pageworker_supervisor.config.section import Section
from pageworker_supervisor.config.settings import RedisSettings, Settings


def test_the_text_of_a_section_hides_passwords_in_its_urls() -> None:
    assert "hunter22" not in repr(RedisSettings(url="redis://:hunter22@h"))
    assert "hunter22" not in repr(Settings(redis=RedisSettings(url="redis://:hunter22@h")))
    assert repr(Section()) == "Section({})"
