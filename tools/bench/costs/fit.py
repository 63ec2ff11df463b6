"""From what cases of several sizes took to what a case and a document take; and what is over a budget. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """``case`` is what a case takes whatever its size, ``document`` what each of its documents adds."""

    case: float
    document: float


@dataclass(frozen=True)
class Bound:
    """The committed count of a case of 12, and how far beyond it a run may be (0.1: a tenth)."""

    count: float
    tolerance: float

    @property
    def most(self) -> float:
        """The greatest count that is within the budget."""
        return self.count * (1 + self.tolerance)


def fit(points: Sequence[tuple[int, float]]) -> Cost:
    """The line through (documents of a case, what such a case took) with the least squares of relative distances.

    Relative to the size, since a case of 100 is measured no more exactly, in parts of itself, than one of 1. Raises
    ValueError for fewer than two sizes.
    """
    if len({size for size, _ in points}) < 2:
        raise ValueError("a line needs two sizes")
    weights = [1 / size**2 for size, _ in points]
    total = sum(weights)
    mean_size = sum(weight * size for weight, (size, _) in zip(weights, points, strict=True)) / total
    mean_value = sum(weight * value for weight, (_, value) in zip(weights, points, strict=True)) / total
    covariance = sum(
        weight * (size - mean_size) * (value - mean_value)
        for weight, (size, value) in zip(weights, points, strict=True)
    )
    variance = sum(weight * (size - mean_size) ** 2 for weight, (size, _) in zip(weights, points, strict=True))
    document = covariance / variance
    return Cost(mean_value - document * mean_size, document)


def of_a_case(used: Mapping[str, float], idle: Mapping[str, float], seconds: float, cases: int) -> dict[str, float]:
    """What each counter rose by for one case. ``idle`` is what it rises by in a second with nothing to do."""
    return {name: max(0.0, value - idle.get(name, 0.0) * seconds) / cases for name, value in used.items()}


def over(counts: Mapping[str, float], budget: Mapping[str, Bound]) -> list[str]:
    """A sentence for each count that is beyond its bound, or that is in the budget and was not counted."""
    found = []
    for name, bound in sorted(budget.items()):
        if name not in counts:
            found.append(f"{name} was not counted")
        elif counts[name] > bound.most:
            found.append(
                f"{name}: {counts[name]:.1f} a case of 12, the budget is {bound.count:g} and at most {bound.most:.1f}"
            )
    return found
