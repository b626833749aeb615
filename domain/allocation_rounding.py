"""Sums that stay whole: parts are rounded so that they add up to a rounded total.

Largest remainder, alias Hare-Niemeyer. Rounding every part by itself would lose or make cents.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal


def distribute(total: Decimal, exact: Sequence[Decimal], step: Decimal) -> tuple[Decimal, ...]:
    """Round every part down or up to a multiple of ``step`` so that they sum exactly to ``total``.

    The parts may be signed; each moves by less than one step, and one that is a multiple already
    stays. Among equal remainders the first part comes first. ValueError if ``total`` is not a
    multiple of ``step`` or further from the sum of the parts than rounding can reach.
    """
    floors = [(part / step).to_integral_value(ROUND_FLOOR) * step for part in exact]
    missing = (total - sum(floors, Decimal(0))) / step
    movable = [index for index, part in enumerate(exact) if part != floors[index]]
    if missing != int(missing) or not 0 <= missing <= len(movable):
        raise ValueError(f"{total} is not the rounded sum of the parts {list(exact)}")
    movable.sort(key=lambda index: floors[index] - exact[index])
    for index in movable[: int(missing)]:
        floors[index] += step
    return tuple(floors)


def proportion(total: Decimal, weights: Sequence[Decimal], step: Decimal) -> tuple[Decimal, ...]:
    """Split ``total`` (a multiple of ``step``) in proportion to ``weights``, none negative.

    Weights that are all zero count as equal: something must bear the amount.
    """
    whole = sum(weights, Decimal(0))
    shares = list(weights) if whole else [Decimal(1)] * len(weights)
    whole = whole or Decimal(len(weights))
    return distribute(total, [total * share / whole for share in shares], step)
