"""Verifiers nobody here wrote, holding the set as of now and the oldest one that a healthy verifier may hold.

Under a clock that a test moves. What a set gave is judged at every change of what is published, of what a
stale verifier holds, and of who signs.
"""

import json
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import joserfc.errors
import jwt
from joserfc import jwk as joserfc_jwk
from joserfc import jws as joserfc_jws
from jwcrypto.common import JWException
from jwcrypto.jwk import JWKSet
from jwcrypto.jws import JWS

from jwturn.core.envelope import canonical
from jwturn.core.jwk import b64url, parse_set
from jwturn.core.jws import split
from jwturn.core.timing import horizon
from jwturn.crypto.verify import verify_key
from tests.service.stage import ISSUER, Stage

MS: Final = timedelta(milliseconds=1)
NO_TIME: Final[Any] = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
"""The clock of these tests is not the machine's; whether a token is in its time window is judged here."""

Check = Callable[[str, str], None]
"""Takes a token and its alg; raises one of REFUSALS."""
REFUSALS: Final = (jwt.PyJWTError, joserfc.errors.JoseError, JWException, LookupError, ValueError)


def pyjwt(data: bytes) -> Check:
    """PyJWT, which picks a key by kid."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(data.decode()).keys}

    def check(token: str, alg: str) -> None:
        key = keys[jwt.get_unverified_header(token)["kid"]]
        jwt.decode(token, key, algorithms=[alg], issuer=ISSUER, options=NO_TIME)

    return check


def joserfc_set(data: bytes) -> Check:
    """The library joserfc, which picks a key by kid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", joserfc.errors.SecurityWarning)
        keys = joserfc_jwk.KeySet.import_key_set(json.loads(data))

    def check(token: str, alg: str) -> None:
        with warnings.catch_warnings():
            # joserfc warns of each token that RFC 9864 has a newer name than EdDSA.
            warnings.simplefilter("ignore", joserfc.errors.SecurityWarning)
            joserfc_jws.deserialize_compact(token, keys, algorithms=[alg])

    return check


def jwcrypto(data: bytes) -> Check:
    """The library jwcrypto, the only one of the three that knows ML-DSA."""
    keys = JWKSet.from_json(data.decode())

    def check(token: str, alg: str) -> None:
        signed = JWS()
        signed.allowed_algs = [alg]
        signed.deserialize(token)
        key = keys.get_key(signed.jose_header["kid"])
        if key is None:
            raise LookupError(signed.jose_header["kid"])
        signed.verify(key)

    return check


def ours(data: bytes) -> Check:
    """Our own reading of a set."""
    keys = {key.kid: verify_key(key.public, alg=key.alg) for key in parse_set(data).keys}

    def check(token: str, alg: str) -> None:
        parts = split(token)
        key = keys[jwt.get_unverified_header(token)["kid"]]
        if key.alg != alg or not key.verify(parts.signing_input, parts.signature):
            raise ValueError(alg)

    return check


CLASSIC: Final[Mapping[str, Callable[[bytes], Check]]] = {
    "pyjwt": pyjwt,
    "joserfc": joserfc_set,
    "jwcrypto": jwcrypto,
}
QUANTUM: Final[Mapping[str, Callable[[bytes], Check]]] = {"jwcrypto": jwcrypto, "ours": ours}
SetOf = Callable[[Stage], bytes]


def issuer_set(stage: Stage) -> bytes:
    """The issuer's JWKS, as it is published now."""
    stage.node.publisher.refresh()
    return stage.node.publisher.issuer_set(ISSUER).body


def ring_set(stage: Stage) -> bytes:
    """The ring's own JWKS, as it is published now."""
    stage.node.publisher.refresh()
    return stage.node.publisher.ring_set("default").body


def secret_set(stage: Stage) -> bytes:
    """What an authorised verifier of a symmetric ring is given now: current and overlapping secrets."""
    view = stage.view
    keys = [
        {
            "kty": "oct",
            "kid": key.kid,
            "alg": key.alg,
            "k": b64url(stage.custody.reveal(key, view.ring.id).reveal()),
        }
        for key in view.ring.published
    ]
    return canonical({"keys": keys})


@dataclass(frozen=True)
class Issued:
    """A token and until when some verifier accepts it."""

    token: str
    kid: str
    alg: str
    ends: datetime


@dataclass(frozen=True)
class Refused:
    """A good token that a verifier refused: who, holding which set, at what time."""

    client: str
    held: str
    kid: str
    at: datetime


@dataclass
class Watched:
    """A stage that signs at every pass, and its verifiers."""

    stage: Stage
    set_of: SetOf = issuer_set
    clients: Mapping[str, Callable[[bytes], Check]] = field(default_factory=lambda: CLASSIC)
    age: timedelta | None = None
    """How old the oldest set of a healthy verifier is: H, as the policy's bounds give it."""
    sets: list[tuple[datetime, bytes]] = field(default_factory=list)
    issued: list[Issued] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    signers: list[str] = field(default_factory=list)
    judged: int = 0
    _before: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.age is None:
            self.age = horizon(self.stage.view.ring.policy.bounds)
        self.note()

    def run(self, length: timedelta) -> None:
        """Lets the node's loop run; after each pass a token is signed and what has changed is judged."""
        end = self.stage.clock.now() + length
        for _ in range(100_000):
            wake = min(self.stage.node.loop.run_once(), end)
            self.look()
            now = self.stage.clock.now()
            if now >= end:
                return
            self.stage.clock.advance(max(wake - now, MS))
        raise AssertionError("the loop asked to wake too often")

    def look(self) -> None:
        """Notes the set, signs, and judges if anything has changed since the last look."""
        self.note()
        self.sign()
        state = (self.sets[-1][1], self.held(), self.signers[-1])
        if state != self._before:
            self._before = state
            self.judge()

    def note(self) -> None:
        """Keeps the set as it is published now."""
        body = self.set_of(self.stage)
        if not self.sets or self.sets[-1][1] != body:
            self.sets.append((self.stage.clock.now(), body))

    def sign(self) -> None:
        """One token, of the longest lifetime."""
        signed = self.stage.node.signing.sign("default", {"sub": "alice"})
        policy = self.stage.view.ring.policy
        alg = jwt.get_unverified_header(signed.token)["alg"]
        self.issued.append(Issued(signed.token, signed.kid, alg, signed.expires + policy.leeway_max))
        if not self.signers or self.signers[-1] != signed.kid:
            self.signers.append(signed.kid)

    def held(self) -> bytes:
        """The set a verifier may still hold: nobody can hold one that is older than the first."""
        assert self.age is not None
        seen = [body for at, body in self.sets if at <= self.stage.clock.now() - self.age]
        return seen[-1] if seen else self.sets[0][1]

    def good(self, *, without: Collection[str] = ()) -> list[Issued]:
        """The tokens inside their time windows."""
        now = self.stage.clock.now()
        return [one for one in self.issued if now < one.ends and one.kid not in without]

    def judge(self, *, without: Collection[str] = ()) -> None:
        """Every verifier, with each of its two sets, sees every good token."""
        for held, body in {"as of now": self.sets[-1][1], "a horizon ago": self.held()}.items():
            for name, client in self.clients.items():
                check = client(body)
                self.refused += [self._refusal(name, held, one) for one in self.good() if self.no(check, one)]

    def no(self, check: Check, one: Issued) -> bool:
        """Whether a verifier refuses a token."""
        self.judged += 1
        try:
            check(one.token, one.alg)
        except REFUSALS:
            return True
        return False

    def _refusal(self, client: str, held: str, one: Issued) -> Refused:
        return Refused(client, held, one.kid, self.stage.clock.now())
