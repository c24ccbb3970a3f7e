"""What the service does in a few seconds, as a process that ends: passes of its loop, and a token.

python -m tests.faults.once: in the folder it is started in. Prints the token.
"""

import sys
from pathlib import Path

from jwturn.compose import open_app
from jwturn.core.errors import FatalStorage, JwturnError
from tests.faults.yard import settings_of

PASSES = 3


def main() -> int:
    """Turns what is due, signs, and gives its lease back."""
    try:
        app = open_app(settings_of(Path.cwd()))
        try:
            for _ in range(PASSES):
                app.loop.run_once()
            token = app.signing.sign("default", {"sub": "bob"}).token
        finally:
            app.close()
    except (JwturnError, FatalStorage) as error:
        sys.stderr.write(f"error: {error.message}\n")
        return error.exit_code
    sys.stdout.write(f"{token}\n")
    sys.stderr.write(f"error: {app.loop.health.last_error}\n" if app.loop.health.errors else "")
    return 1 if app.loop.health.errors else 0


if __name__ == "__main__":
    sys.exit(main())
