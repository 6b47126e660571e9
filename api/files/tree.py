"""Whose tree of names it is: a printer's or a pool's (DESIGN section 7, Files). Pure."""

from dataclasses import dataclass

from api.principal import Principal

_PRINTER, _POOL = "printer", "pool"


@dataclass(frozen=True, slots=True)
class Tree:
    """The names of one printer or pool. *key* is what rows keep: ``printer:12``, ``pool:3``."""

    key: str

    @classmethod
    def of_printer(cls, printer_id: int) -> "Tree":
        """The tree of that printer."""
        return cls(f"{_PRINTER}:{printer_id}")

    @classmethod
    def of_pool(cls, pool_id: int) -> "Tree":
        """The tree of that pool."""
        return cls(f"{_POOL}:{pool_id}")

    @property
    def printer_id(self) -> int | None:
        """The printer whose tree it is; None for a pool's."""
        kind, _, number = self.key.partition(":")
        return int(number) if kind == _PRINTER else None

    def reached_by(self, by: Principal) -> bool:
        """False for a key that is bound to another printer, or to any when it is a pool's tree."""
        return by.printer_id is None or by.printer_id == self.printer_id
