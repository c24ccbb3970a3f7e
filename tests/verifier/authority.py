"""A certificate authority of a test: servers with good and bad certificates, and clients that trust it."""

import ipaddress
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
HERE = ("127.0.0.1", "::1", "localhost")


class Authority:
    """Makes its root when it is made; `folder` takes the files that `ssl` wants to read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of a test")])
        self._root = self._signed(self._name, self._key, ends=datetime.now(UTC) + DAY, ca=True)

    def trusting(self) -> ssl.SSLContext:
        """For a client that trusts this authority alone."""
        pem = self._root.public_bytes(serialization.Encoding.PEM)
        return ssl.create_default_context(cadata=pem.decode())

    def serving(self, names: Iterable[str] = HERE, *, expired: bool = False) -> ssl.SSLContext:
        """For a server with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of a test")])
        ends = datetime.now(UTC) + (-DAY if expired else DAY)
        chain = [self._signed(own, key, names=names, ends=ends), self._root]
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        path = self._folder / f"{chain[0].serial_number}.pem"
        path.write_bytes(pem + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        ends: datetime,
        names: Iterable[str] = (),
        ca: bool = False,
    ) -> x509.Certificate:
        public = key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends - 3 * DAY)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if general := [_general(name) for name in names]:
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
