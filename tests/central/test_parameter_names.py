"""Parameters below a path become central values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.central.parameter_names import NoParameterName, parameter_name, values_of_parameters

BASE = "/pageworker/prod"


def test_parameters_become_values_by_their_types() -> None:
    parameters = {
        f"{BASE}/pool/runners": "6",
        f"{BASE}/log/level": "debug",
        f"{BASE}/egress/ports": "[80, 443]",
        f"{BASE}/tenants/acme/rate_per_second": "null",
        f"{BASE}/domains/shop.example/burst": "3",
        f"{BASE}/domains": '{"*.a.test": {"burst": 4}, "shop.example": {"burst": 9, "concurrency": 2}}',
    }
    assert values_of_parameters(BASE, parameters) == {
        "pool.runners": 6,
        "log.level": "debug",
        "egress.ports": [80, 443],
        "tenants.acme.rate_per_second": None,
        'domains."shop.example".burst': 3,
        'domains."shop.example".concurrency': 2,
        'domains."*.a.test".burst': 4,
    }


def test_what_is_no_setting_stays_for_the_vote_to_refuse() -> None:
    assert values_of_parameters(BASE, {f"{BASE}/pol/runners": "6", f"{BASE}/pool": "6"}) == {
        "pol.runners": "6",
        "pool": 6,
    }


@given(st.dictionaries(st.text("abp/.-_", min_size=1), st.text()))
def test_any_parameters_are_read(parameters: dict[str, str]) -> None:
    values_of_parameters(BASE, {f"{BASE}/{name}": text for name, text in parameters.items()})


def test_the_parameter_of_a_setting() -> None:
    assert parameter_name(BASE, 'domains."shop.example".burst') == f"{BASE}/domains/shop.example/burst"
    with pytest.raises(NoParameterName, match=r"/pageworker/prod/domains, in JSON"):
        parameter_name(BASE, 'domains."*.a.test".burst')
