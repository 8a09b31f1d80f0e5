"""What a bench finds: a number with all its repeats, from which median and spread are derived."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Figure:
    """One measured thing in its unit; `aim` is what it should be at most."""

    name: str
    unit: str = "s"
    aim: float | None = None
    repeats: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """n, median, min and max beside the repeats, to thousandths of the unit."""
        return {
            "name": self.name,
            "unit": self.unit,
            "aim": self.aim,
            "n": len(self.repeats),
            "median": round(statistics.median(self.repeats), 3),
            "min": round(min(self.repeats), 3),
            "max": round(max(self.repeats), 3),
            "repeats": [round(value, 3) for value in self.repeats],
        }
