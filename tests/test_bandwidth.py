"""How fast memory is copied: measured, kept, and begun anew where a file is none of ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnout import bandwidth
from turnout.bandwidth import kept_bandwidth, measure, measured_bandwidth


def test_a_machine_copies_at_least_a_hundred_megabytes_a_second() -> None:
    assert 1e8 < measure(8 << 20) < 1e13


def test_before_the_first_measurement_nothing_is_known(tmp_path: Path) -> None:
    assert kept_bandwidth(tmp_path) is None


def test_the_best_of_all_times_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for reached, best in ((20e9, 20e9), (5e9, 20e9), (30e9, 30e9)):
        monkeypatch.setattr(bandwidth, "measure", lambda reached=reached: reached)
        assert measured_bandwidth(tmp_path / "state") == best == kept_bandwidth(tmp_path / "state")


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_next_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    monkeypatch.setattr(bandwidth, "measure", lambda: 20e9)
    assert measured_bandwidth(tmp_path / "taken") == 20e9


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"\xff", b"null", b"[" * 10_000]
    + [
        json.dumps({"ram_bytes_per_s": value}).encode() for value in ("fast", None, -1, 0, 1e300, float("nan"), 10**400)
    ],
)
def test_a_damaged_file_is_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "machine.json").write_bytes(content)
    assert kept_bandwidth(tmp_path) is None
