"""What the machine has free: sampled in the background, read for nothing.

RAM and CPU come from psutil, video memory from NVML where there is an NVIDIA card and the extra `gpu` is installed;
without either it is None, which the policy takes as "nobody knows" and not as "none".
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from turnout.bandwidth import kept_bandwidth
from turnout.types import Resources

logger = logging.getLogger(__name__)


class ResourceSampler:
    """Samples in a thread of its own. `latest` is one attribute; before the first sample it is None.

    Args:
        interval_s: seconds between samples.
        read: takes one sample; None reads this machine.
    """

    def __init__(self, interval_s: float = 2.0, read: Callable[[], Resources] | None = None) -> None:
        self.latest: Resources | None = None
        self._interval_s = interval_s
        self._read = read or Reader().read
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take one sample now and go on in the background."""
        self._ended.clear()
        self._sample()
        self._thread = threading.Thread(target=self._run, name="turnout-resources", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what was sampled last stays readable."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._ended.wait(self._interval_s):
            self._sample()

    def _sample(self) -> None:
        try:
            self.latest = self._read()
        except Exception:  # a driver that hiccups must not end the sampling
            logger.exception("the machine's resources could not be read")


class Reader:
    """Reads the machine. The card's driver is asked for once.

    Args:
        state: the folder with what was measured of this machine before (`turnout.bandwidth`), if anything was.
    """

    def __init__(self, state: Path | None = None) -> None:
        self._nvml = _open_nvml()
        self._card = self._first_card()
        self._ram_bytes_per_s = None if state is None else kept_bandwidth(state)
        psutil.cpu_percent()  # the first reading compares with nothing and is 0

    def read(self) -> Resources:
        """One sample."""
        memory = psutil.virtual_memory()
        total, free = self._vram()
        return Resources(
            sampled_s=time.monotonic(),
            ram_total_bytes=int(memory.total),
            ram_free_bytes=int(memory.available),
            cpu_share=psutil.cpu_percent() / 100,
            vram_total_bytes=total,
            vram_free_bytes=free,
            card=self._card,
            ram_bytes_per_s=self._ram_bytes_per_s,
        )

    def _first_card(self) -> str | None:
        """What the driver calls it."""
        if self._nvml is None:
            return None
        try:
            name = self._nvml.nvmlDeviceGetName(self._nvml.nvmlDeviceGetHandleByIndex(0))
        except self._nvml.NVMLError:
            return None
        return name.decode(errors="replace") if isinstance(name, bytes) else str(name)

    def _vram(self) -> tuple[int | None, int | None]:
        """Bytes over all cards."""
        if self._nvml is None:
            return None, None
        total = free = 0
        try:
            for index in range(self._nvml.nvmlDeviceGetCount()):
                memory = self._nvml.nvmlDeviceGetMemoryInfo(self._nvml.nvmlDeviceGetHandleByIndex(index))
                total, free = total + int(memory.total), free + int(memory.free)
        except self._nvml.NVMLError as error:
            logger.warning("the NVIDIA driver does not answer any more: %s", error)
            self._nvml = None
            return None, None
        return total, free


def _open_nvml() -> Any:
    """The NVML binding, ready to be asked; None without the extra, a driver or a card."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return pynvml if pynvml.nvmlDeviceGetCount() else None
    except pynvml.NVMLError:
        return None
