"""The page of sixty requests is what its figures say."""

import re

from bench import mix
from bench.page_parts import FIELDS
from bench.site import answer


def test_half_of_sixty_requests_are_pictures_fonts_and_media() -> None:
    assert len(mix.BLOCKED) == 30
    assert 1 + len(mix.KEPT) == 30
    asked_for = re.findall(r"(?:(?:link [^>]*href|src)=\"|url\()(/[^\")]+)", mix.PAGE)
    assert set(asked_for) == set(mix.FILES), "each file is asked for by the page"


def test_pictures_scripts_and_fonts_have_the_sizes_of_the_archive() -> None:
    sizes = {path: len(body) for path, (_, body) in mix.FILES.items()}
    mean = {
        ending: sum(size for path, size in sizes.items() if path.endswith(ending))
        / sum(path.endswith(ending) for path in sizes)
        for ending in (".png", ".woff2", ".js", ".css")
    }
    assert 1054e3 / 18 * 0.9 < mean[".png"] < 1054e3 / 18 * 1.1
    assert 131e3 / 4 * 0.9 < mean[".woff2"] < 131e3 / 4 * 1.1
    assert 613e3 / 24 * 0.9 < mean[".js"] < 613e3 / 24 * 1.1
    assert 78e3 / 8 * 0.8 < mean[".css"] < 78e3 / 8 * 1.1


def test_every_field_is_on_the_page() -> None:
    page = answer("/mix/7").decode()
    assert all(f'id="card-{field * 7}"' in page and f">{field}/7<" in page for field in range(FIELDS))
