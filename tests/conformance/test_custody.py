"""Each custody and each KEK of ours passes the public suites."""

import base64
from pathlib import Path

import pytest

from jwturn.core.secret import Secret
from jwturn.custody.integrity import new_integrity
from jwturn.custody.kek.file import create_file, open_file
from jwturn.custody.kek.passphrase import PassphraseKek, Salted
from jwturn.custody.kek.systemd import open_credential
from jwturn.custody.sealed import SealedCustody
from jwturn.custody.uri import SecretSource, open_kek
from jwturn.ports.custody import Custody
from jwturn.ports.kek import Kek
from jwturn.testing.custody_suite import CustodySuite, KekSuite

SALT = bytes(range(16))
WORDS = Secret(b"correct horse battery staple")


class Files:
    """A test has a folder of its own."""

    folder: Path

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path


class TestFileKek(Files, KekSuite):
    def make_kek(self) -> Kek:
        return self._made("kek")

    def make_other(self) -> Kek:
        return self._made("other")

    def _made(self, name: str) -> Kek:
        path = self.folder / name
        return open_file(path) if path.exists() else create_file(path)


class TestSystemdKek(Files, KekSuite):
    def make_kek(self) -> Kek:
        (self.folder / "raw").write_bytes(bytes(range(32)))
        return open_credential("raw", self.folder)

    def make_other(self) -> Kek:
        (self.folder / "long").write_bytes(base64.b64encode(bytes(range(48))))
        return open_credential("long", self.folder)


class TestPassphraseKek(KekSuite):
    def make_kek(self) -> Kek:
        return PassphraseKek(WORDS, Salted(SALT))

    def make_other(self) -> Kek:
        return PassphraseKek(Secret(b"another fifteen letters"), Salted(SALT))


class TestSealedCustodyWithFileKek(Files, CustodySuite):
    def make_custody(self, store_id: str) -> Custody:
        uri = f"file:{self.folder / 'kek'}"
        return SealedCustody(store_id, [open_kek(uri, secrets=SecretSource(), create=True)])


class TestSealedCustodyWithSystemdKek(Files, CustodySuite):
    def make_custody(self, store_id: str) -> Custody:
        (self.folder / "jwturn-kek").write_bytes(bytes(range(32)))
        source = SecretSource(credentials=self.folder)
        return SealedCustody(store_id, [open_kek("systemd:jwturn-kek", secrets=source)])


class TestSealedCustodyWithPassphraseKek(CustodySuite):
    def make_custody(self, store_id: str) -> Custody:
        wraps = new_integrity("made by init", [PassphraseKek(WORDS, Salted(SALT))]).wraps
        return SealedCustody(
            store_id, [open_kek("passphrase:", secrets=SecretSource(passphrase=WORDS), wraps=wraps)]
        )


class TestSealedCustodyWithTwoKeks(Files, CustodySuite):
    """As during a change of the KEK: either opens what was sealed for both."""

    turn = 0

    def make_custody(self, store_id: str) -> Custody:
        keks = [open_kek(f"file:{self.folder / n}", secrets=SecretSource(), create=True) for n in "ab"]
        self.turn += 1
        return SealedCustody(store_id, keks if self.turn % 2 else keks[::-1])
