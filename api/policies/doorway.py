"""From where people and programs may come in (v1 1.1, `/config/ip-allowlist`). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from api.errors import Invalid
from api.proxies import Networks, is_one_of, networks

Mode = Literal["api_and_ui", "api_only"]
DEFAULT_MODE: Mode = "api_and_ui"
MAX_CIDRS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowlist:
    """Which addresses are let in, and whether that holds for pages too or for the API alone."""

    networks: Networks
    mode: Mode = DEFAULT_MODE

    def admits(self, address: str) -> bool:
        """Whether somebody at *address* is let in; nobody is whose address is not known."""
        return is_one_of(address, self.networks)

    def guards(self, path: str) -> bool:
        """Whether it holds for *path*."""
        return self.mode != "api_only" or "/api/" in path


def allowlist_of(kept: Mapping[str, Any]) -> Allowlist | None:
    """The list that *kept* says; None: everybody is let in."""
    if not kept.get("enabled") or not kept.get("cidrs"):
        return None
    mode = kept.get("mode", DEFAULT_MODE)
    return Allowlist(networks=networks(",".join(kept["cidrs"])), mode=mode)


def checked(*, enabled: bool, cidrs: Sequence[str], mode: str, address: str) -> dict[str, Any]:
    """The list as it is kept. *address* is where the asker is, who must not lock themselves out.

    Raises `Invalid`.
    """
    if mode not in get_args(Mode):
        raise Invalid(f"mode takes one of {', '.join(get_args(Mode))}.")
    if len(cidrs) > MAX_CIDRS:
        raise Invalid(f"At most {MAX_CIDRS} networks; these are {len(cidrs)}.")
    kept = {"enabled": enabled, "cidrs": [_network(one) for one in cidrs], "mode": mode}
    if enabled and not cidrs:
        raise Invalid("An empty list would let nobody in: name at least your own network.")
    listed = allowlist_of(kept)
    if listed is not None and not listed.admits(address):
        raise Invalid(
            f"This list would lock you out: you come from {address or 'an unknown address'}. "
            "Add it, or your network, to cidrs."
        )
    return kept


def _network(text: str) -> str:
    try:
        (found,) = networks(text)
    except ValueError:
        raise Invalid(
            f"{text[:50]!r} is no network: write it as 192.168.1.0/24, 10.0.0.7 or 2001:db8::/32."
        ) from None
    return str(found)
