"""One profile for every property test: a cold or busy machine is slow, and that is no defect."""

from hypothesis import HealthCheck, settings

settings.register_profile("jwturn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("jwturn")
