"""Forgeries of the claims, each truly signed: wrong types, times, issuers and audiences (SECURITY.md 6).

CVE-2026-25537: a mistyped claim is not an absent one; CVE-2024-53861: an issuer is no substring.
"""

from collections.abc import Iterator
from typing import Any, Final

from tests.security import mint
from tests.security.forged_form import Forged

NOW: Final = mint.NOW
LEEWAY: Final = 60
DAY: Final = 86_400

NO_NUMBERS: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    "",
    "0",
    str(NOW),
    str(NOW + 600),
    f"{NOW + 600}.0",
    "2030-01-01T00:00:00Z",
    "never",
    [],
    [NOW],
    {},
    {"value": NOW},
)
NO_STRINGS: Final[tuple[Any, ...]] = (None, 0, 1, 1.5, True, False, [], ["alice"], {}, {"a": 1})
NEAR_ISSUERS: Final = (
    "",
    mint.ISSUER[:-1],
    mint.ISSUER[1:],
    f"{mint.ISSUER}/",
    f"{mint.ISSUER}.evil.example",
    f"{mint.ISSUER}@evil.example",
    f"{mint.ISSUER}:443",
    f"{mint.ISSUER}#",
    f"{mint.ISSUER}?",
    f" {mint.ISSUER}",
    f"{mint.ISSUER} ",
    f"{mint.ISSUER}\n",
    f"{mint.ISSUER}\0",
    f"https://evil.example/{mint.ISSUER}",
    f"{mint.ISSUER},{mint.ISSUER}",
    mint.ISSUER.upper(),
    mint.ISSUER.title(),
    mint.ISSUER.replace("https", "http"),
    mint.ISSUER.replace("https://", ""),
    mint.ISSUER.replace("e", "\u0435"),
    mint.ISSUER.replace("auth", "\uff41uth"),
    f"{mint.ISSUER}\u200b",
    "https",
    "example",
    ".",
    "*",
    "null",
)
NEAR_AUDIENCES: Final = (
    "",
    "order",
    "rders",
    "orders2",
    "orders/",
    "ORDERS",
    "Orders",
    " orders",
    "orders ",
    "orders\n",
    "orders\0",
    "orders,billing",
    "billing orders",
    "billing",
    "o",
    "*",
    "any",
    "null",
    "\u043erders",
    "orders\u200b",
    '["orders"]',
)


def types() -> Iterator[Forged]:
    for name in ("exp", "iat", "nbf"):
        for value in NO_NUMBERS:
            token = mint.token("ES256", mint.claims(**{name: value}))
            yield Forged(f"{name} {value!r}", token, f"{name}_type")
    for name in ("iss", "sub", "jti"):
        for value in NO_STRINGS:
            token = mint.token("ES256", mint.claims(**{name: value}))
            yield Forged(f"{name} {value!r}", token, f"{name}_type")
    audiences: tuple[Any, ...] = (None, 0, 1, 1.5, True, False, {}, {"orders": 1}, {"0": "orders"})
    mixed: tuple[Any, ...] = ([None], [1], [True], ["orders", 1], ["orders", None], [["orders"]], [{}], [[]])
    for value in (*audiences, *mixed, ["orders", ["orders"]], ["orders", {"a": "orders"}]):
        yield Forged(f"aud {value!r}", mint.token("ES256", mint.claims(aud=value)), "aud_type")


def absent() -> Iterator[Forged]:
    for name in ("exp", "iss", "aud"):
        code = f"{name}_missing"
        yield Forged(f"no {name}", mint.token("ES256", mint.claims(**{name: ...})), code)
        for other in (name.upper(), name.title(), f"{name} ", f"{name}\0", f" {name}", f"{name}s"):
            moved = mint.claims(**{name: ..., other: mint.CLAIMS[name]})
            yield Forged(f"{other!r} in place of {name}", mint.token("ES256", moved), code)
        within = mint.claims(**{name: ..., "claims": {name: mint.CLAIMS[name]}})
        yield Forged(f"{name} one level down", mint.token("ES256", within), code)
        head = mint.header("ES256", **{name: mint.CLAIMS[name]})
        signed = f"{mint.segment(head)}.{mint.segment(mint.claims(**{name: ...}))}"
        yield Forged(f"{name} in the header", mint.over("ES256", signed), code)
    yield Forged("no claims", mint.token("ES256", {}), "exp_missing")


def times() -> Iterator[Forged]:
    faults: dict[str, tuple[dict[str, Any], str]] = {}
    for late in (0, 0.5, 1, 2, 600, DAY, NOW, 2 * NOW):
        exp = NOW - LEEWAY - late
        faults[f"expired {late} s beyond the leeway"] = ({"iat": exp - 600, "exp": exp}, "expired")
        faults[f"expired {late} s beyond the leeway, no iat"] = ({"iat": ..., "exp": exp}, "expired")
    for early in (0.001, 1, 2, 600, DAY, NOW, 10**15):
        at = NOW + LEEWAY + early
        faults[f"made {early} s beyond the leeway"] = ({"iat": at, "exp": at + 600}, "iat_future")
        faults[f"not before {early} s beyond the leeway"] = ({"nbf": at, "exp": at + 600}, "nbf_future")
        faults[f"iat and nbf {early} s beyond the leeway"] = (
            {"iat": at, "nbf": at, "exp": at + 600},
            "iat_future",
        )
    for before in (0, 1, 59, 119):
        iat = NOW + LEEWAY
        faults[f"exp {before} s before iat"] = ({"iat": iat, "exp": iat - before}, "exp_before_iat")
    for longer in (0.001, 1, DAY, 10**9, 10**15, 1e300):
        faults[f"lives {longer} s too long"] = ({"exp": NOW + DAY + longer}, "lifetime_too_long")
        faults[f"lives {longer} s too long, no iat"] = (
            {"iat": ..., "exp": NOW + DAY + longer},
            "lifetime_too_long",
        )
        faults[f"made {longer} s too early"] = ({"iat": NOW + 600 - DAY - longer}, "lifetime_too_long")
    faults["exp of 20 digits"] = ({"exp": 10**20 - 1}, "lifetime_too_long")
    faults["exp of 20 digits, below zero"] = ({"exp": -(10**19)}, "expired")
    faults["times in milliseconds"] = ({"iat": 1000 * NOW, "exp": 1000 * NOW + 600_000}, "iat_future")
    faults["exp in milliseconds"] = ({"exp": 1000 * NOW}, "lifetime_too_long")
    faults["exp 0"] = ({"exp": 0}, "expired")
    faults["exp -0.0"] = ({"exp": -0.0}, "expired")
    faults["exp -1"] = ({"exp": -1}, "expired")
    faults["iat below zero"] = ({"iat": -1}, "lifetime_too_long")
    for name, (changes, code) in faults.items():
        yield Forged(name, mint.token("ES256", mint.claims(**changes)), code)


def names() -> Iterator[Forged]:
    for issuer in NEAR_ISSUERS:
        yield Forged(f"iss {issuer!a}", mint.token("ES256", mint.claims(iss=issuer)), "iss_wrong")
    for audience in NEAR_AUDIENCES:
        yield Forged(f"aud {audience!a}", mint.token("ES256", mint.claims(aud=audience)), "aud_wrong")
        several = [audience, audience]
        yield Forged(f"aud {several!a}", mint.token("ES256", mint.claims(aud=several)), "aud_wrong")
    yield Forged("aud of nobody", mint.token("ES256", mint.claims(aud=[])), "aud_wrong")
    letters = list(mint.AUDIENCE)
    yield Forged("aud letter by letter", mint.token("ES256", mint.claims(aud=letters)), "aud_wrong")
    yield Forged("aud is the issuer", mint.token("ES256", mint.claims(aud=mint.ISSUER)), "aud_wrong")
    yield Forged("iss is the audience", mint.token("ES256", mint.claims(iss=mint.AUDIENCE)), "iss_wrong")
    exchanged = mint.claims(iss=mint.AUDIENCE, aud=mint.ISSUER)
    yield Forged("iss and aud exchanged", mint.token("ES256", exchanged), "iss_wrong")


def every() -> Iterator[Forged]:
    for family in (types, absent, times, names):
        yield from family()
