"""The HTTP server: where it listens, who may ask, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from turnout.config.values import Count, Flag, Names, Positive, Section, SettingError, Strict, Text

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits(Section):
    """What one request and one key may take. `max_body_mb` and `max_header_kb` are MiB and KiB; None is no limit."""

    max_body_mb: Positive = 32.0
    max_header_kb: Positive = 64.0
    max_concurrent_per_key: Count | None = None
    requests_per_minute_per_key: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway(Section):
    """The gateway binds to this machine only; any other `host` needs a `keys_file`.

    `allowed_hosts` are the Host headers that are answered, `cors_origins` the pages of other origins that may ask.
    `drain_s` is how long requests under way may take to end after the signal to stop.
    """

    host: Text = "127.0.0.1"
    port: Annotated[int, Strict(least=0, most=65_535)] = 8787
    workers: Annotated[int, Strict(least=1, most=256)] = 1
    keys_file: Text | None = None
    limits: GatewayLimits = GatewayLimits()
    cors_origins: Names = ()
    allowed_hosts: Names = ("127.0.0.1", "[::1]", "localhost")
    dashboard: Flag = True
    metrics: Flag = True
    traces: Flag = False
    drain_s: Positive = 30.0

    def check(self) -> None:
        """No open door without keys."""
        if not self.host or self.host != self.host.strip():
            raise SettingError("host", f"host is {self.host!r}; expected an address to listen on")
        if self.host not in LOOPBACK and not self.keys_file:
            raise SettingError(
                "host", f"host is {self.host!r}, which others can reach; name a keys_file, or listen on 127.0.0.1"
            )
