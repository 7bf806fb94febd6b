"""One profile of hypothesis for all tests: no time limit per example, since a busy host is no fault of the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("pageworker", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pageworker")
