"""The limits of the gateway fit into the descriptors that it has."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.limits import EgressLimits


def test_limits_fit_into_few_descriptors() -> None:
    for descriptors in (1024, 4096, 20_000, 1_048_576):
        limits = EgressLimits().within(descriptors)
        assert 8 <= limits.connections_per_runner <= 128
        cost = 128 + limits.runners * (3 + limits.pool_connections + 2 * limits.connections_per_runner)
        assert cost <= descriptors or limits.connections_per_runner == 8


@given(st.integers(0, 2**20))
def test_more_descriptors_never_mean_fewer_connections(descriptors: int) -> None:
    fewer, more = EgressLimits().within(descriptors), EgressLimits().within(descriptors + 1000)
    assert 8 <= fewer.connections_per_runner <= more.connections_per_runner <= EgressLimits().connections_per_runner
