"""As much of curl as the pages use, so that they run on a machine without it."""

import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser


def main() -> int:
    """Sends one request and prints the answer."""
    parser = ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-S", action="store_true")
    parser.add_argument("-i", action="store_true")
    parser.add_argument("-X", default=None)
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d", default=None)
    parser.add_argument("url")
    told = parser.parse_args()
    headers = dict(line.split(": ", 1) for line in told.H)
    data = None if told.d is None else told.d.encode()
    request = urllib.request.Request(told.url, data=data, headers=headers, method=told.X)
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    if told.i:
        sys.stdout.write(f"HTTP/1.1 {answer.status} {answer.reason}\n")
        sys.stdout.write(
            "".join(f"{name.lower()}: {value}\n" for name, value in answer.headers.items()) + "\n"
        )
    sys.stdout.flush()
    sys.stdout.buffer.write(answer.read())
    return 0


if __name__ == "__main__":
    sys.exit(main())
