"""The witness file only grows, is sealed line by line, and survives a torn end."""

import errno
import fcntl
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from jwturn.core.errors import FatalStorage, IntegrityError, NotPermitted, Unavailable
from jwturn.core.witness import WitnessHead, WitnessKey
from jwturn.stores.witness import FileWitness, MemoryWitness, read_heads
from jwturn.testing.rings import KeyedSeal

KEY = WitnessKey("k1", "ES256", {"kty": "EC", "x": "1"}, in_issuer_set=True)


def head(epoch: int = 0, *, ring: str = "id-web", era: int = 0, revoked: tuple[str, ...] = ()) -> WitnessHead:
    return WitnessHead(ring, "web", era, epoch, epoch + 1, f"hash-{era}-{epoch}", (KEY,), revoked)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "witness"


def witness(path: Path, key: bytes = bytes(32)) -> FileWitness:
    return FileWitness(path, KeyedSeal(key))


@pytest.fixture(params=["file", "memory"])
def any_witness(request, path):
    return witness(path) if request.param == "file" else MemoryWitness()


def test_nothing_was_witnessed_at_first(any_witness):
    assert any_witness.last("id-web") is None


def test_the_last_head_is_the_newest_by_era_and_epoch(any_witness):
    for found in (head(1), head(3), head(2), head(1, era=1), head(9)):
        any_witness.append(found)
    assert any_witness.last("id-web") == head(1, era=1)


def test_rings_have_heads_of_their_own(any_witness):
    any_witness.append(head(5))
    any_witness.append(head(2, ring="id-api"))
    assert any_witness.last("id-api") == head(2, ring="id-api")
    assert any_witness.last("id-none") is None


def test_a_revocation_is_never_forgotten(any_witness):
    for found in (head(1, revoked=("k1",)), head(2, revoked=("k2",)), head(3)):
        any_witness.append(found)
    assert any_witness.last("id-web") == replace(head(3), revoked=("k1", "k2"))


def test_the_file_is_read_again_after_a_restart(path):
    witness(path).append(head(4))
    assert witness(path).last("id-web") == head(4)


def test_the_file_and_its_directory_are_private(path):
    witness(path).append(head())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_may_write_is_refused(path):
    witness(path).append(head())
    path.chmod(0o666)
    with pytest.raises(NotPermitted, match="0666"):
        witness(path).last("id-web")


def test_what_another_process_appends_is_seen(path):
    mine, theirs = witness(path), witness(path)
    mine.append(head(1))
    theirs.append(head(2))
    assert mine.last("id-web") == head(2)
    assert len(path.read_bytes().splitlines()) == 2


def test_a_head_that_is_there_is_not_written_twice(path):
    for _ in range(3):
        witness(path).append(head(1))
    assert len(path.read_bytes().splitlines()) == 1


def test_a_torn_last_line_does_not_count_and_is_mended(path):
    witness(path).append(head(1))
    whole = path.read_bytes()
    witness(path).append(head(2))
    path.write_bytes(path.read_bytes()[:-7])
    fresh = witness(path)
    assert fresh.last("id-web") == head(1)
    fresh.append(head(3))
    assert path.read_bytes().startswith(whole)
    assert len(path.read_bytes().splitlines()) == 2
    assert witness(path).last("id-web") == head(3)


def test_a_file_that_shrank_while_we_run_is_noticed(path):
    running = witness(path)
    running.append(head(1))
    kept = path.read_bytes()
    running.append(head(2))
    path.write_bytes(kept)
    for call in (lambda: running.last("id-web"), lambda: running.append(head(3))):
        with pytest.raises(IntegrityError, match="shorter") as refused:
            call()
        assert refused.value.code == "witness_shrunk"


def test_a_file_that_vanished_while_we_run_is_noticed(path):
    running = witness(path)
    running.append(head(1))
    path.unlink()
    with pytest.raises(IntegrityError, match="shorter"):
        running.last("id-web")


def test_a_file_put_in_its_place_does_not_make_us_forget(path):
    running = witness(path)
    running.append(head(1))
    running.append(head(2))
    longer = path.with_name("other")
    other = witness(longer)
    for number in range(6):
        other.append(head(number, ring="id-other"))
    longer.rename(path)
    assert running.last("id-web") == head(2)
    assert running.last("id-other") == head(5, ring="id-other")


@pytest.mark.parametrize(
    ("what", "with_"), [(b'"epoch":1', b'"epoch":0'), (b'"mac":"', b'"mac":"AAAA'), (b'{"head', b'{"hand')]
)
def test_an_edited_line_is_refused(path, what, with_):
    witness(path).append(head(1))
    path.write_bytes(path.read_bytes().replace(what, with_))
    with pytest.raises(IntegrityError) as refused:
        witness(path).last("id-web")
    assert refused.value.code == "forged_witness"


def test_the_witness_of_another_store_is_refused(path):
    witness(path, key=b"x" * 32).append(head(1))
    with pytest.raises(IntegrityError, match="another store"):
        witness(path).last("id-web")


def test_a_line_may_not_be_put_before_an_edited_one(path):
    witness(path).append(head(1))
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    with pytest.raises(IntegrityError, match="rubbish"):
        witness(path).last("id-web")


def test_a_full_disk_is_said_and_the_cut_line_is_mended_later(path, monkeypatch):
    running = witness(path)
    running.append(head(1))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
    with pytest.raises(Unavailable, match="disk full"):
        running.append(head(2))
    monkeypatch.setattr(os, "write", write)
    assert running.last("id-web") == head(1)
    running.append(head(3))
    assert witness(path).last("id-web") == head(3)


def test_an_fsync_that_fails_with_eio_is_fatal(path, monkeypatch):
    running = witness(path)
    running.append(head(1))

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(FatalStorage):
        running.append(head(2))


def test_many_threads_append_whole_lines(path):
    shared = witness(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: (shared if n % 2 else witness(path)).append(head(n)), range(40)))
    assert len(path.read_bytes().splitlines()) == 40
    assert witness(path).last("id-web") == head(39)


def _append_some(path: Path, ring: str) -> None:
    mine = witness(path)
    for number in range(15):
        mine.append(head(number, ring=ring))


def test_two_processes_append_whole_lines(path):
    context = get_context("spawn")
    workers = [context.Process(target=_append_some, args=(path, ring)) for ring in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    found = read_heads(path, KeyedSeal())
    assert found == {ring: head(14, ring=ring) for ring in ("a", "b")}


def test_a_copy_kept_elsewhere_is_read_for_an_audit(path, tmp_path):
    witness(path).append(head(1, revoked=("k1",)))
    copy = tmp_path / "copy"
    copy.touch(0o600)
    copy.write_bytes(path.read_bytes() + b'{"head":')
    assert read_heads(copy, KeyedSeal()) == {"id-web": head(1, revoked=("k1",))}
    copy.write_bytes(path.read_bytes().replace(b"k1", b"k9"))
    with pytest.raises(IntegrityError):
        read_heads(copy, KeyedSeal())


def test_a_process_paused_with_the_lock_stops_nobody_for_ever(path, monkeypatch):
    monkeypatch.setattr("jwturn.stores.witness.LOCK_PAUSE_SECONDS", 0.0)
    witness(path).append(head(1))
    with path.open("rb") as paused:
        fcntl.flock(paused, fcntl.LOCK_EX)
        with pytest.raises(Unavailable) as refused:
            witness(path).append(head(2))
    assert refused.value.code == "witness_busy"
    witness(path).append(head(2))
    assert witness(path).last("id-web") == head(2)
