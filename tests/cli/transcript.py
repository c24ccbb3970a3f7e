"""Transcripts: what a person types and sees, with the exit code where it is not 0.

    $ jwturn status     a call, in this process; pipes, `> FILE`, echo, cat, cp, rm and chmod are understood
    ~ 25h               so much time passes while the loop runs;  ~ 25h idle: while nobody runs it
    [65]                the exit code of the call above
    # text              a remark

Kids are written KID1____ where they are shown short and KID1 where whole, in the order in which they appear;
tokens, hashes and nodes likewise have one word each.
"""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jwturn.core.durations import parse_duration
from tests.cli.stage import Stage

OURS = 22
"""Kids that jwturn makes have at least so many characters."""
WORDS = (
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "TOKEN"),
    (re.compile(r"jwturn_[\w-]{43}"), "API_TOKEN"),
    (re.compile(r"person:[\w.@-]+(?: +(?=  ))?"), "person:me@here"),
    (re.compile(r"node:[\w.-]+-\d+-[0-9a-f]{8}(?: +(?=  ))?"), "node:here"),
    (re.compile(r"\bWHO +WHY$", re.MULTILINE), "WHO  WHY"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b"), "HASH12"),
    (re.compile(r'etag: "[0-9a-f]{32}"'), 'etag: "ETAG"'),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r'"(x|y|n|k|jti|pub)": ?"[\w-]{20,}"'), r'"\1":"..."'),
    (re.compile(r"'[\w-]{22}'"), "'JTI'"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "FINGERPRINT"),
)


@dataclass
class Player:
    """Plays the lines of a transcript and gives them back with what really happened."""

    stage: Stage
    known: list[str] = field(default_factory=list)

    def play(self, text: str) -> str:
        """The transcript as it is."""
        return "".join(f"{line}\n" for typed in asked(text) for line in self._answer(typed))

    def _answer(self, typed: str) -> Iterator[str]:
        yield typed
        if typed.startswith("~ "):
            self._passes(typed.removeprefix("~ "))
        elif typed.startswith("$ "):
            code, printed = self._shell(typed.removeprefix("$ "))
            self.known += [kid for kid in self.stage.kids() if kid not in self.known and len(kid) >= OURS]
            yield from (line.rstrip() for line in self._worded(printed).splitlines())
            if code:
                yield f"[{code}]"

    def _passes(self, words: str) -> None:
        span, _, idle = words.partition(" idle")
        del idle
        if words.endswith(" idle"):
            self.stage.clock.advance(parse_duration(span))
        else:
            self.stage.passes(parse_duration(span))

    def _shell(self, line: str) -> tuple[int, str]:
        lexer = shlex.shlex(self._unworded(line), posix=True, punctuation_chars="|>")
        lexer.whitespace_split, lexer.commenters = True, ""
        tokens = list(lexer)
        target = None
        if ">" in tokens:
            tokens, target = tokens[: tokens.index(">")], tokens[tokens.index(">") + 1]
        code, printed, data = 0, "", b""
        stages = list(split(tokens, "|"))
        for number, words in enumerate(stages):
            last = number == len(stages) - 1
            code, out, said = self._run(words, data, merged=last and target is None)
            printed, data = printed + said, out.encode()
            if last and target is None:
                printed += out
        if target is not None:
            (self.stage.folder / target).write_bytes(data)
            (self.stage.folder / target).chmod(0o600)
        return code, printed

    def _run(self, words: list[str], stdin: bytes, *, merged: bool) -> tuple[int, str, str]:
        if words[0] != "jwturn":
            return 0, BUILTINS[words[0]](self.stage.folder, words[1:]), ""
        if merged:
            code, out = self.stage.merged(*words[1:], stdin=stdin)
            return code, out, ""
        done = self.stage.jwturn(*words[1:], stdin=stdin)
        return done.code, done.out, done.err

    def _worded(self, text: str) -> str:
        for number, kid in enumerate(self.known, 1):
            text = text.replace(kid, f"KID{number}").replace(kid[:8], f"KID{number}".ljust(8, "_"))
        for pattern, word in WORDS:
            text = pattern.sub(word, text)
        return "\n".join(map(_sorted, text.replace(f"{self.stage.folder}/", "").splitlines()))

    def _unworded(self, line: str) -> str:
        for number, kid in reversed(list(enumerate(self.known, 1))):
            line = line.replace(f"KID{number}".ljust(8, "_"), kid[:8])
            line = re.sub(rf"\bKID{number}\b", kid, line)
        return line


def asked(text: str) -> list[str]:
    """The lines of a transcript that somebody typed, remarks and blank lines included."""
    lines = text.splitlines()
    return [
        line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if line[:2] in ("$ ", "~ ", "# ") or (not line and after.startswith("# "))
    ]


def split(tokens: list[str], at: str) -> Iterator[list[str]]:
    """The lists between the tokens that equal `at`."""
    part: list[str] = []
    for token in tokens:
        if token == at:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _sorted(line: str) -> str:
    """A JWKS by the words of its kids: a set has no order that a reader may count on."""
    if not line.startswith('{"keys":['):
        return line
    keys = sorted(json.loads(line)["keys"], key=lambda key: key["kid"])
    return json.dumps({"keys": keys}, separators=(",", ":"))


def _cat(folder: Path, names: list[str]) -> str:
    return "".join((folder / name).read_text() for name in names)


def _cp(folder: Path, names: list[str]) -> str:
    for end in ("", "-wal", "-shm"):
        source, target = folder / (names[0] + end), folder / (names[1] + end)
        if source.exists():
            shutil.copy(source, target)
        elif end:
            target.unlink(missing_ok=True)
    return ""


def _rm(folder: Path, names: list[str]) -> str:
    for name in names:
        (folder / name).unlink()
    return ""


def _chmod(folder: Path, names: list[str]) -> str:
    (folder / names[1]).chmod(int(names[0], 8))
    return ""


def _mode(folder: Path, names: list[str]) -> str:
    return f"{(folder / names[0]).stat().st_mode & 0o777:04o}\n"


BUILTINS = {
    "echo": lambda _, words: " ".join(words) + "\n",
    "printf": lambda _, words: words[0],
    "cat": _cat,
    "cp": _cp,
    "rm": _rm,
    "chmod": _chmod,
    "mode": _mode,
}
"""What a transcript may call beside jwturn; `cp` takes a database's log with it, `mode` prints a mode."""
