"""A KEK from a passphrase: Argon2id (RFC 9106)."""

from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from jwturn.core.errors import BadInput, WeakKey
from jwturn.core.secret import Secret

# RFC 9106 section 4, the second recommended option: for machines without 2 GiB to spare.
MEMORY_KIB: Final = 64 * 1024
ITERATIONS: Final = 3
LANES: Final = 4
SALT_BYTES: Final = 16

# The parameters are read back from a file that somebody may have edited: they must not stop the machine.
MEMORY_KIB_MAX: Final = 4 * 1024 * 1024
ITERATIONS_MAX: Final = 64
LANES_MAX: Final = 64


def derive(
    passphrase: Secret,
    salt: bytes,
    *,
    memory_kib: int = MEMORY_KIB,
    iterations: int = ITERATIONS,
    lanes: int = LANES,
) -> Secret:
    """The 32-byte key of a passphrase under a random salt of at least 16 bytes.

    Raises WeakKey for an empty passphrase, BadInput for a short salt or parameters out of range.
    """
    if len(passphrase) == 0:
        raise WeakKey("the passphrase is empty", hint="four or more random words")
    if len(salt) < SALT_BYTES:
        raise BadInput(
            f"a salt of {len(salt)} bytes; {SALT_BYTES} or more are needed", hint="RFC 9106 section 3.1"
        )
    if not (
        1 <= lanes <= LANES_MAX
        and 1 <= iterations <= ITERATIONS_MAX
        and 8 * lanes <= memory_kib <= MEMORY_KIB_MAX
    ):
        raise BadInput(
            f"Argon2id with {memory_kib} KiB, {iterations} iterations, {lanes} lanes is out of range",
            hint=f"{MEMORY_KIB} KiB, {ITERATIONS} iterations, {LANES} lanes is the recommended option",
        )
    kdf = Argon2id(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory_kib)
    return Secret(kdf.derive(passphrase.reveal()))
