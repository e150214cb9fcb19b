"""Who lives and who is dead, and what the dead left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from turnout.history.lease import Lease
from turnout.history.leftovers import other_writers, size_of, taken_over

HOLD = """
import sys, time
from pathlib import Path
from turnout.history.lease import Lease
print(Lease.claim(Path(sys.argv[1])).owner, flush=True)
time.sleep(60)
"""


def leave(folder: Path, owner: str, *contents: bytes) -> list[Path]:
    paths = [folder / f"{owner}-{number:06d}.jsonl" for number in range(1, len(contents) + 1)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_each_lease_has_a_name_of_its_own(tmp_path: Path) -> None:
    leases = [Lease.claim(tmp_path) for _ in range(20)]
    assert len({lease.owner for lease in leases}) == 20
    assert all(lease.owner.startswith(f"{os.getpid()}-") for lease in leases)
    for lease in leases:
        lease.release()
    assert not list(tmp_path.iterdir())


def test_a_lease_that_is_held_cannot_be_taken(tmp_path: Path) -> None:
    lease = Lease.claim(tmp_path)
    assert Lease.take(lease.path) is None
    lease.abandon()
    taken = Lease.take(lease.path)
    assert taken is not None and Lease.take(lease.path) is None
    taken.release()
    assert Lease.take(lease.path) is None and not lease.path.exists()


def test_a_lease_ends_with_its_process(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        path = tmp_path / f"{holder.stdout.readline().strip()}.lock"
        assert Lease.take(path) is None
        holder.kill()
        holder.wait()
    assert Lease.take(path) is not None


def test_a_lease_whose_file_was_exchanged_is_not_there(tmp_path: Path) -> None:
    lease = Lease.claim(tmp_path)
    assert lease.is_there()
    lease.path.unlink()
    assert not lease.is_there()
    lease.path.touch()
    assert not lease.is_there()


def test_one_that_clears_up_between_making_and_locking_does_not_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from turnout.history import lease as module

    lock, cleared = module.try_lock, []

    def clear_first(handle: int) -> bool:
        if not cleared:
            (path,) = tmp_path.glob("*.lock")
            cleared.append(path)
            path.unlink()
        return lock(handle)

    monkeypatch.setattr(module, "try_lock", clear_first)
    made = Lease.claim(tmp_path)
    assert made.is_there() and [made.path] == list(tmp_path.iterdir())


def test_segments_of_the_living_are_left_alone(tmp_path: Path) -> None:
    lease = Lease.claim(tmp_path)
    leave(tmp_path, lease.owner, b"x\n")
    assert other_writers(tmp_path, "") == [lease.owner] and other_writers(tmp_path, lease.owner) == []
    with taken_over(tmp_path, lease.owner) as found:
        assert found == []
    assert lease.is_there()


def test_segments_of_the_dead_are_taken_in_order_and_their_lock_goes_with_them(tmp_path: Path) -> None:
    lease = Lease.claim(tmp_path)
    left = leave(tmp_path, lease.owner, b"1\n", b"2\n", b"3\n")
    lease.abandon()
    with taken_over(tmp_path, lease.owner) as found:
        assert found == left
        with taken_over(tmp_path, lease.owner) as again:
            assert again == [], "one at a time"
        for path in found:
            path.unlink()
    assert not list(tmp_path.iterdir())


def test_what_was_not_finished_is_taken_again(tmp_path: Path) -> None:
    lease = Lease.claim(tmp_path)
    first, second = leave(tmp_path, lease.owner, b"1\n", b"2\n")
    lease.abandon()
    with pytest.raises(RuntimeError), taken_over(tmp_path, lease.owner):
        first.unlink()
        raise RuntimeError("the database went away")
    with taken_over(tmp_path, lease.owner) as found:
        assert found == [second]


def test_segments_without_a_lock_are_the_dead_s(tmp_path: Path) -> None:
    left = leave(tmp_path, "12-ab", b"1\n")
    assert other_writers(tmp_path, "") == ["12-ab"]
    with taken_over(tmp_path, "12-ab") as found:
        assert found == left


def test_sizes_are_of_segments_only(tmp_path: Path) -> None:
    leave(tmp_path, "12-ab", b"1\n", b"23\n")
    (tmp_path / "12-ab.lock").write_bytes(b"xxx")
    assert size_of(tmp_path) == 5
    assert size_of(tmp_path / "none") == 0
