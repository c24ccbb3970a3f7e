"""RotationPolicy: the numbers of one ring, and the inequalities they must obey.

The inequalities are those of the theorem in `timing`; a policy that breaks one is refused with the numbers,
what set them, and the way out. `verifiers` are turned into numbers once, when the policy is set, so that a
later release with other figures changes no living policy.
"""

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Final

from jwturn.core.durations import format_duration
from jwturn.core.errors import BadInput, PolicyRefused
from jwturn.core.jwk import ALGS
from jwturn.core.profiles import Declared, resolve
from jwturn.core.timing import Bounds, lead

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
RSA_BITS: Final = (2048, 3072, 4096)
UNKNOWN_FLEET: Final = DAY
"""V where no verifier is declared: the longest that is common among known products' defaults."""
CRYPTOPERIOD_WARNING: Final = 183 * DAY
TICKS_IN_LEAD: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """How a ring turns.

    Durations are timedelta; the symbols are those of `timing.Bounds`.
    """

    alg: str = "ES256"
    rsa_bits: int = 3072
    printable: bool = False
    rotate_every: timedelta = 90 * DAY
    rollback_window: timedelta = HOUR
    overdue_max: timedelta = 30 * DAY
    token_ttl_max: timedelta = HOUR
    jwks_max_age: timedelta = timedelta(seconds=300)
    publish_delay_max: timedelta = 30 * MINUTE
    edge_ttl_max: timedelta = timedelta(seconds=300)
    verifiers: tuple[str, ...] = ()
    verifier_ttl_given: timedelta | None = None
    declared: tuple[Declared, ...] = ()
    fetch_time_max: timedelta = timedelta(seconds=30)
    clock_rate_error: float = 0.001
    clock_skew_max: timedelta = timedelta(seconds=30)
    signer_lease: timedelta = 10 * MINUTE
    signer_refresh: timedelta = timedelta(seconds=10)
    leeway_max: timedelta = 5 * MINUTE
    stale_max: timedelta = HOUR
    refetch_on_unknown_kid: bool = False
    akp_in_issuer_set: bool = False
    delivery: str = "pull"
    audience: tuple[str, ...] = ()
    typ: str = "JWT"
    not_before: bool = False
    unproved: bool = False
    """Only for demonstrations that must fail.

    The lead is forced to zero and the inequalities are not checked.
    """

    @property
    def verifier_ttl_max(self) -> timedelta:
        """V: the larger of what was given and what the declared verifiers need; 24 h for an unknown fleet."""
        known = [verifier.lifetime for verifier in self.declared]
        given = [] if self.verifier_ttl_given is None else [self.verifier_ttl_given]
        return max(known + given, default=UNKNOWN_FLEET)

    @property
    def decided_by(self) -> str:
        """Which setting gives V, in words."""
        ttl = self.verifier_ttl_max
        kinds = [verifier.name for verifier in self.declared if verifier.lifetime == ttl]
        if kinds:
            return f"verifier {kinds[0]} = {format_duration(ttl)}"
        why = "" if self.verifiers else " (no verifiers declared)"
        return f"verifier_ttl_max = {format_duration(ttl)}{why}"

    @property
    def bounds(self) -> Bounds:
        """The bounds a key published under this policy is promised."""
        if self.unproved:
            return _ZERO
        cooldown = max((v.cooldown for v in self.declared), default=timedelta())
        return Bounds(
            publish_delay_max=self.publish_delay_max,
            edge_ttl_max=self.edge_ttl_max,
            verifier_ttl_max=cooldown if self.refetch_on_unknown_kid else self.verifier_ttl_max,
            fetch_time_max=self.fetch_time_max,
            clock_rate_error=self.clock_rate_error,
            clock_skew_max=self.clock_skew_max,
            leeway_max=self.leeway_max,
        )

    @property
    def symmetric(self) -> bool:
        """Whether the ring holds HMAC secrets."""
        return ALGS[self.alg].kty == "oct"

    def in_issuer_set(self, alg: str) -> bool:
        """Whether a new key of `alg` enters the issuer's set.

        AKP keys only where the ring says so, oct never.
        """
        kty = ALGS[alg].kty
        return kty != "oct" and (kty != "AKP" or self.akp_in_issuer_set)


_ZERO: Final = Bounds(
    publish_delay_max=timedelta(),
    edge_ttl_max=timedelta(),
    verifier_ttl_max=timedelta(),
    fetch_time_max=timedelta(),
    clock_rate_error=0.0,
    clock_skew_max=timedelta(),
    leeway_max=timedelta(),
)

FIELDS: Final = frozenset(f.name for f in fields(RotationPolicy)) - {
    "declared",
    "verifier_ttl_given",
    "unproved",
} | {"verifier_ttl_max"}
"""The names a person may set."""


def edited(policy: RotationPolicy, changes: dict[str, Any], *, tick_cap: timedelta) -> RotationPolicy:
    """The policy with `changes` (field name to typed value), validated, its verifiers turned into numbers.

    Raises PolicyRefused (an inequality), BadInput (a name or value).
    """
    if "verifier_ttl_max" in changes:
        changes = {**changes, "verifier_ttl_given": changes["verifier_ttl_max"]}
        del changes["verifier_ttl_max"]
    if (
        "jwks_max_age" in changes
        and "edge_ttl_max" not in changes
        and policy.edge_ttl_max == policy.jwks_max_age
    ):
        changes = {**changes, "edge_ttl_max": changes["jwks_max_age"]}
    policy = replace(policy, **changes)
    if policy.alg not in ALGS:
        raise BadInput(
            f"unknown algorithm {policy.alg!r}", hint=f"one of {', '.join(ALGS)}", code="unknown_alg"
        )
    policy = replace(policy, declared=resolve(policy.verifiers, max_age=policy.jwks_max_age))
    return validated(policy, tick_cap=tick_cap)


def validated(policy: RotationPolicy, *, tick_cap: timedelta) -> RotationPolicy:
    """The policy, if every inequality holds.

    Raises PolicyRefused with the first that does not, and the way out.
    """
    if policy.unproved:
        return policy
    _check_values(policy)
    _check_fleet(policy)
    _check_theorem(policy, tick_cap)
    return policy


def warnings(policy: RotationPolicy) -> list[str]:
    """What is allowed and still worth saying aloud."""
    said = []
    if policy.rotate_every > CRYPTOPERIOD_WARNING:
        said.append(
            f"rotate_every ({format_duration(policy.rotate_every)}) keeps a key signing longer than"
            " six months; a leak stays useful as long"
        )
    said += [
        f"verifier {v.name} keeps a set without limit when it cannot refresh: a revocation has no bound there"
        for v in policy.declared
        if v.stale_max is None
    ]
    if policy.unproved:
        said.append("the lead is forced to zero: verifiers will refuse good tokens")
    return said


def _refuse(message: str, hint: str) -> None:
    raise PolicyRefused(message, hint=hint)


def _check_values(policy: RotationPolicy) -> None:
    for field in fields(policy):
        value = getattr(policy, field.name)
        if isinstance(value, timedelta) and value < timedelta():
            _refuse(f"{field.name} is negative", f"give {field.name} as a duration such as 10m")
    for name in ("rotate_every", "token_ttl_max", "signer_lease", "signer_refresh", "publish_delay_max"):
        if getattr(policy, name) <= timedelta():
            _refuse(f"{name} must be longer than nothing", f"give {name} as a duration such as 10m")
    if policy.token_ttl_max < timedelta(seconds=1):
        _refuse("token_ttl_max must be at least 1s: exp counts whole seconds", "token_ttl_max = 1h is common")
    if not 0 <= policy.clock_rate_error < 1:
        _refuse("clock_rate_error must lie in [0, 1)", "0.001 covers any clock that is kept by NTP")
    if policy.rsa_bits not in RSA_BITS:
        _refuse(f"rsa_bits = {policy.rsa_bits} is not offered", "one of 2048, 3072, 4096")
    if policy.delivery not in ("pull", "manual"):
        _refuse(
            f"delivery = {policy.delivery!r} is not known",
            "pull (verifiers ask) or manual (`jwturn delivered`)",
        )
    if policy.printable and not policy.symmetric:
        _refuse(f"printable is for HMAC secrets, and {policy.alg} has none", "printable = false")


def _check_fleet(policy: RotationPolicy) -> None:
    for verifier in policy.declared:
        if policy.alg in verifier.algs_unknown:
            _refuse(
                f"the declared verifier {verifier.name} does not know {policy.alg}",
                "choose an algorithm all verifiers know (RS256 is the most common), or take it off the list",
            )
        if policy.refetch_on_unknown_kid and not verifier.refetches:
            _refuse(
                f"refetch_on_unknown_kid is set, and the declared verifier {verifier.name} never refetches",
                "set refetch_on_unknown_kid = false, or take the verifier off the list",
            )
    if policy.refetch_on_unknown_kid and not policy.declared:
        _refuse(
            "refetch_on_unknown_kid needs declared verifiers that all refetch",
            'declare them: verifiers = ["jose", "pyjwt"]',
        )


def _check_theorem(policy: RotationPolicy, tick_cap: timedelta) -> None:
    needed = lead(policy.bounds)
    if timedelta() < policy.edge_ttl_max < policy.jwks_max_age:
        _refuse(
            f"edge_ttl_max ({format_duration(policy.edge_ttl_max)}) is shorter than"
            f" jwks_max_age ({format_duration(policy.jwks_max_age)}):"
            " shared caches would keep sets longer than the lead counts on",
            "raise edge_ttl_max to jwks_max_age, or set it to 0 to forbid shared caches",
        )
    if policy.rotate_every <= needed:
        _refuse(
            f"rotate_every ({format_duration(policy.rotate_every)}) must exceed"
            f" the lead ({format_duration(needed)})\nthe lead is set by {policy.decided_by}",
            _shorter_lead(policy),
        )
    if needed < TICKS_IN_LEAD * tick_cap:
        fitting = format_duration(needed / TICKS_IN_LEAD)
        _refuse(
            f"the lead ({format_duration(needed)}) is shorter than ten ticks of the store"
            f" ({format_duration(TICKS_IN_LEAD * tick_cap)})",
            f"raise the bounds, or make the store with tick_cap = {fitting} or less",
        )
    if policy.signer_lease <= 2 * policy.signer_refresh:
        _refuse(
            f"signer_lease ({format_duration(policy.signer_lease)}) must exceed two refreshes"
            f" ({format_duration(2 * policy.signer_refresh)}), or one slow reply stops signing",
            "signer_lease = 10m with signer_refresh = 10s is the default",
        )


def _shorter_lead(policy: RotationPolicy) -> str:
    if policy.verifiers or policy.verifier_ttl_given is not None:
        above = format_duration(lead(policy.bounds))
        return f"raise rotate_every above {above}, or shorten the bound named above"
    example = replace(policy, verifiers=("jose", "pyjwt"))
    example = replace(example, declared=resolve(example.verifiers, max_age=policy.jwks_max_age))
    shorter = format_duration(lead(example.bounds))
    return f'declare them: verifiers = ["jose", "pyjwt"] gives a lead of {shorter}'


PRESETS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "standard": ("the defaults: a turn every 90 days, lead for an unknown fleet", {}),
    "monthly": ("30 days, as some payment and health rules ask", {"rotate_every": 30 * DAY}),
    "weekly": ("7 days, for rings whose verifiers all read the JWKS", {"rotate_every": 7 * DAY}),
    "yearly": (
        "365 days: the lower end of NIST SP 800-57 part 1, table 1, for private signature keys; warned about",
        {"rotate_every": 365 * DAY},
    ),
}


def preset(name: str, *, tick_cap: timedelta) -> RotationPolicy:
    """A named policy. Raises BadInput with the names there are."""
    if name not in PRESETS:
        raise BadInput(f"there is no policy preset {name!r}", hint=f"one of {', '.join(PRESETS)}")
    return edited(RotationPolicy(), dict(PRESETS[name][1]), tick_cap=tick_cap)
