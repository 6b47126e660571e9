"""How a benchmark's figures are shown: a table for people, JSON for scripts."""

import json
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, beside its reference where there is one."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    reference_name: str = ""
    goal: str = ""

    @property
    def ratio(self) -> float | None:
        """value / reference; None without a reference."""
        return self.value / self.reference if self.reference else None


def show(title: str, figures: list[Figure], *, as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        rows = [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
        print(json.dumps({"benchmark": title, "figures": rows}), flush=True)
        return
    table = Table(title=title, title_justify="left")
    for name in ("what", "measured", "reference", "ratio", "goal"):
        table.add_column(name, justify="left" if name in ("what", "goal") else "right")
    for figure in figures:
        reference = ""
        if figure.reference is not None:
            reference = f"{figure.reference:,.4g} {figure.reference_name}"
        ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
        measured = f"{figure.value:,.4g} {figure.unit}"
        table.add_row(figure.name, measured, reference, ratio, figure.goal)
    Console(width=140).print(table)
