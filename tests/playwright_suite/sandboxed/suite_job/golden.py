"""Pictures that tests compare. They are compared outside, where a picture can be decoded, once the test has ended."""

from typing import TYPE_CHECKING

from .requests import encoded

if TYPE_CHECKING:
    from .origin_link import OriginLink


class GoldenPictures:
    """The pictures of one test."""

    def __init__(self) -> None:
        self._taken: list[tuple[bytes, str]] = []

    def add(self, image: bytes, name: str) -> None:
        """The fixture `assert_to_be_golden`."""
        self._taken.append((image, name))

    async def check(self, link: "OriginLink") -> None:
        """Raises AssertionError for the first that differs."""
        for image, name in self._taken:
            answer = await link.ask("golden", image=encoded(image), name=name)
            assert not answer["error"], answer["error"]
