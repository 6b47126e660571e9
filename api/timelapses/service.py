"""Timelapses (v1 contract, 2.10): a farm whose printers never recorded one.

Gantry records no cameras: a printer's `camera_url` leads to its picture. Clients that look for
recordings find an empty list, and of every number that there is none.
"""

from collections.abc import Sequence
from typing import Never

from api.errors import NotFound
from api.principal import Principal


class Timelapses:
    """The recordings of every organization."""

    def list(self, by: Principal) -> Sequence[Never]:
        """All of them."""
        by.require("timelapses.read")
        return ()

    def get(self, by: Principal, timelapse_id: int, right: str = "timelapses.read") -> Never:
        """Raises `NotFound`, or `Forbidden` for who lacks *right*."""
        by.require(right)
        raise NotFound(
            f"There is no timelapse {timelapse_id}: this farm records none. The live picture of a "
            "printer is at its camera_url.",
            timelapse_id=timelapse_id,
        )
