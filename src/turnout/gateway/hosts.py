"""Names of hosts as they stand in Host headers, each in one spelling."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address


@lru_cache(64)  # the clients of a gateway name it in few ways
def host_name(named: str) -> str:
    """A name without port, in lower case, without the dot at its end; an IPv6 address in brackets and at its shortest.

    Empty for what is no name.
    """
    name = named.strip().lower()
    if name.count(":") > 1 and not name.startswith("["):  # an address as a configuration may write it
        name = f"[{name}]"
    if name.startswith("["):
        inside, closing, port = name[1:].partition("]")
        try:
            name = f"[{IPv6Address(inside)}]" if closing else ""
        except AddressValueError:
            return ""
    else:
        name, colon, port = name.partition(":")
        name, port = name.removesuffix("."), colon + port
    is_port = not port or (port[0] == ":" and (port == ":" or (port[1:].isascii() and port[1:].isdigit())))
    return name if is_port else ""
