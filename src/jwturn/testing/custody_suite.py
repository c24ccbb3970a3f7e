"""Conformance of custodies and KEKs: subclass, say how one is made, and let pytest collect the class.

    class TestMine(CustodySuite):
        def make_custody(self, store_id):
            return MyCustody(store_id)

The tests look through the ports only: what a custody made is put into a `Key`, as a store does, and handed
back.
"""

import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from msgspec import structs

from jwturn.core.envelope import Envelope, Wrap
from jwturn.core.errors import BadInput, CustodyError, IntegrityError, JwturnError, StateForbids
from jwturn.core.jwk import ALGS, thumbprint
from jwturn.core.keys import Key, Origin
from jwturn.core.policy import RotationPolicy
from jwturn.core.states import STANDBY
from jwturn.core.timing import Moment
from jwturn.crypto.verify import VerifyKey, hmac_key, verify_key
from jwturn.ports.custody import Custody, Made
from jwturn.ports.kek import Kek
from jwturn.testing.expect import expect, refused

RING = "ring-1"
DATA = b"header.payload"
DEK = bytes(range(32))


def key_of(made: Made) -> Key:
    """The key that a store would keep of what a custody made."""
    return Key(
        kid=made.kid,
        alg=made.alg,
        state=STANDBY,
        origin=Origin.GENERATED,
        public=made.public,
        private=made.private,
        bounds=RotationPolicy().bounds,
        in_issuer_set=made.public is not None,
        created=Moment(datetime(2026, 1, 1, tzinfo=UTC), timedelta()),
    )


class CustodySuite:
    """What every custody must do. A subclass gives `make_custody`; the same store gets the same custody."""

    def make_custody(self, store_id: str) -> Custody:
        """A custody of the store with this id, which knows all that it needs to open what it made before."""
        raise NotImplementedError

    def test_every_algorithm_signs_for_its_public_half(self) -> None:
        """Create, hand back, open, sign; the public half or the secret verifies."""
        custody = self.make_custody("store-1")
        for alg in ALGS:
            key = key_of(custody.create(alg, RING, rsa_bits=2048))
            signer = custody.open(key, RING)
            expect(signer.alg == alg, f"the signer of an {alg} key says {signer.alg}")
            expect(
                _verifier(custody, key).verify(DATA, signer.sign(DATA)),
                f"{alg}: the signature does not verify",
            )

    def test_another_process_opens_what_was_made(self) -> None:
        """Nothing that opens a key is kept in the process that made it."""
        key = key_of(self.make_custody("store-1").create("ES256", RING))
        again = self.make_custody("store-1")
        expect(
            _verifier(again, key).verify(DATA, again.open(key, RING).sign(DATA)),
            "a second custody cannot sign",
        )

    def test_kids_are_thumbprints_and_random_for_secrets(self) -> None:
        """RFC 7638; the thumbprint of a secret would publish its hash."""
        custody = self.make_custody("store-1")
        made = custody.create("ES256", RING)
        expect(
            made.public is not None and made.kid == thumbprint(made.public), "the kid is not the thumbprint"
        )
        one, other = custody.create("HS256", RING), custody.create("HS256", RING)
        expect(one.public is None and one.kid != other.kid, "two secrets have the same kid, or a public half")

    def test_printable_secrets_have_four_classes_of_characters(self) -> None:
        """Upper case, lower case, digit, special."""
        custody = self.make_custody("store-1")
        made = custody.create("HS256", RING, printable=True)
        shown = custody.reveal(key_of(made), RING).reveal().decode("ascii")
        kinds = (str.isupper, str.islower, str.isdigit, lambda character: not character.isalnum())
        expect(all(any(map(kind, shown)) for kind in kinds), "a class of characters is missing")

    def test_an_adopted_key_keeps_its_kid(self) -> None:
        """A key that is in use elsewhere keeps the name by which its tokens call it."""
        custody = self.make_custody("store-1")
        for alg in ("ES256", "HS256"):
            own = key_of(custody.create(alg, RING))
            private = custody.reveal(own, RING)
            key = key_of(custody.adopt(alg, "ring-2", private=private, public=own.public, kid="kept/2024+a="))
            expect(key.kid == "kept/2024+a=", "the kid was changed")
            signed = custody.open(key, "ring-2").sign(DATA)
            expect(_verifier(custody, own).verify(DATA, signed), f"the adopted {alg} key is another one")

    def test_adopting_a_half_of_another_key_is_refused(self) -> None:
        """Halves that do not belong together, another algorithm, a kid that is none."""
        custody = self.make_custody("store-1")
        one, other = (key_of(custody.create("ES256", RING)) for _ in range(2))
        private = custody.reveal(one, RING)
        wrong: list[tuple[str, dict[str, str] | None, str | None]] = [
            ("ES256", other.public, None),
            ("ES256", None, None),
            ("HS256", one.public, None),
            ("EdDSA", one.public, None),
            ("ES256", one.public, "caf\u00e9"),
            ("ES256", one.public, ""),
        ]
        for alg, public, kid in wrong:
            adopt = partial(custody.adopt, alg, RING, private=private, public=public, kid=kid)
            refused(BadInput, adopt)

    def test_a_key_without_private_half_does_not_open(self) -> None:
        """A shredded key is not an integrity fault, and not a crash."""
        custody = self.make_custody("store-1")
        key = replace(key_of(custody.create("ES256", RING)), private=None)
        refused(StateForbids, custody.open, key, RING)

    def test_a_private_half_opens_only_in_its_place(self) -> None:
        """Swapped between rings, kids, algorithms, public halves and stores: refused."""
        custody = self.make_custody("store-1")
        one, other = (key_of(custody.create("ES256", RING)) for _ in range(2))
        moved = {
            "the envelope of another key": replace(one, private=other.private),
            "another kid": replace(one, kid=other.kid),
            "another alg": replace(one, alg="ES384"),
            "another public half": replace(one, public=other.public),
            "an edited public half": replace(one, public={**(one.public or {}), "use": "sig"}),
            "no public half": replace(one, public=None, alg="HS256"),
            "both halves of another key": replace(one, private=other.private, public=other.public),
        }
        for what, key in moved.items():
            error = refused(JwturnError, custody.open, key, RING)
            expect(isinstance(error, IntegrityError), f"{what}: {error!r}")
        refused(IntegrityError, custody.open, one, "ring-2")
        refused(IntegrityError, self.make_custody("store-2").open, one, RING)

    def test_an_edited_envelope_does_not_open(self) -> None:
        """One bit of nonce, ciphertext or wrap; and a truncated one."""
        custody = self.make_custody("store-1")
        key = key_of(custody.create("HS256", RING))
        if key.private is None:
            raise AssertionError("no envelope was made")
        for edited in _edits(key.private):
            refused(IntegrityError, custody.reveal, replace(key, private=edited), RING)

    def test_destroy_may_be_called_twice(self) -> None:
        """The loop may run a step again after a crash."""
        custody = self.make_custody("store-1")
        key = key_of(custody.create("ES256", RING))
        custody.destroy(key, RING)
        custody.destroy(key, RING)

    def test_no_secret_shows(self) -> None:
        """Not in the repr of what a custody gives, nor in a pickle."""
        custody = self.make_custody("store-1")
        key = key_of(custody.create("HS256", RING, printable=True))
        secret, signer = custody.reveal(key, RING), custody.open(key, RING)
        shown = f"{custody!r} {key!r} {secret!r} {signer!r}"
        expect(secret.reveal().decode("ascii") not in shown, "a repr shows the secret")
        for holder in (secret, signer):
            expect(_cannot_pickle(holder), f"{type(holder).__name__} can be pickled")


class KekSuite:
    """What every KEK must do. A subclass gives `make_kek`, the same KEK each time, and `make_other`."""

    def make_kek(self) -> Kek:
        """The KEK, as each process that holds it opens it."""
        raise NotImplementedError

    def make_other(self) -> Kek:
        """Another KEK of the kind."""
        raise NotImplementedError

    def test_a_second_process_unwraps(self) -> None:
        """And gives the same fingerprint."""
        one, again = self.make_kek(), self.make_kek()
        expect(one.fingerprint == again.fingerprint, "the fingerprint is not stable")
        expect(again.unwrap(one.wrap(DEK, b"place"), b"place") == DEK, "the DEK came back changed")

    def test_two_wraps_of_a_dek_differ(self) -> None:
        """Equal wraps would show equal keys."""
        kek = self.make_kek()
        expect(kek.wrap(DEK, b"place") != kek.wrap(DEK, b"place"), "wrapping is deterministic")

    def test_a_wrap_opens_only_in_its_place(self) -> None:
        """Other associated data, one bit flipped, cut short, empty."""
        kek = self.make_kek()
        wrapped = kek.wrap(DEK, b"place")
        refused(IntegrityError, kek.unwrap, wrapped, b"elsewhere")
        for edited in (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), wrapped[:-1], wrapped[:20], b""):
            refused((IntegrityError, CustodyError), kek.unwrap, edited, b"place")

    def test_another_kek_does_not_unwrap(self) -> None:
        """And has another fingerprint."""
        kek, other = self.make_kek(), self.make_other()
        expect(kek.fingerprint != other.fingerprint, "two KEKs have the same fingerprint")
        wrapped = kek.wrap(DEK, b"place")
        refused((IntegrityError, CustodyError), other.unwrap, wrapped, b"place")

    def test_a_fingerprint_is_short_plain_text(self) -> None:
        """It is printed in errors and stored beside each wrap."""
        shown = self.make_kek().fingerprint
        expect(shown.isascii() and shown.isprintable() and 8 <= len(shown) <= 128, f"not a name: {shown!r}")

    def test_a_kek_does_not_show_itself(self) -> None:
        """No repr beyond its fingerprint, no pickle."""
        kek = self.make_kek()
        expect(kek.fingerprint in repr(kek), "the repr does not name the KEK")
        expect(_cannot_pickle(kek), "a KEK can be pickled")


def _verifier(custody: Custody, key: Key) -> VerifyKey:
    if key.public is None:
        return hmac_key(key.alg, custody.reveal(key, RING))
    return verify_key(key.public, alg=key.alg)


def _edits(envelope: Envelope) -> list[Envelope]:
    wrap = envelope.wraps[0]
    return [
        structs.replace(envelope, nonce=_flipped(envelope.nonce)),
        structs.replace(envelope, ciphertext=_flipped(envelope.ciphertext)),
        structs.replace(envelope, ciphertext=envelope.ciphertext[:8]),
        structs.replace(envelope, wraps=(Wrap(wrap.kek, _flipped(wrap.wrapped)),)),
        structs.replace(envelope, format=99),
    ]


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _cannot_pickle(holder: Any) -> bool:
    try:
        pickle.dumps(holder)
    except TypeError:
        return True
    return False
