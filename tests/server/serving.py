"""`serve` in a process of its own: a store in a folder, a free port, and the URL it says."""

import json
import resource
import sys
from pathlib import Path

from jwturn.compose import create_app, ensure_ring, new_token, open_app
from jwturn.core.ledger import Actor
from jwturn.core.tokens import Role
from jwturn.server.run import serve
from jwturn.settings import load


def main(folder: str, *options: str) -> None:
    """Makes the store if it is not there (and says an admin's token, once), then serves."""
    environ = dict(option.split("=", 1) for option in options)
    if files := environ.pop("TEST_FILES", None):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
    settings = load({"JWTURN_STORE__URI": f"sqlite:///{folder}/jwturn.db", **environ}, cwd=Path(folder))
    ann = Actor("ann")
    token = ""
    if not (Path(folder) / "jwturn.db").exists():
        app = create_app(settings)
        ensure_ring(app, "default", issuer="http://127.0.0.1", actor=ann)
        token = new_token(app, "all", Role.ADMIN, ann)
    else:
        app = open_app(settings)

    def ready(url: str) -> None:
        sys.stdout.write(json.dumps({"url": url, "token": token}) + "\n")
        sys.stdout.flush()

    serve(app, host="127.0.0.1", port=0, on_ready=ready)


if __name__ == "__main__":
    main(*sys.argv[1:])
