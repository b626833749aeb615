"""What is written in the same way already is not copied."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from domain.copies import with_parts


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that never changes."""

    name: str = ""
    amount: Decimal | None = None
    parts: tuple[str, ...] = ()
    inner: Thing | None = None


def test_the_same_in_the_same_words_is_the_thing_itself() -> None:
    """Even if it is another text, number or tuple that says it."""
    thing = Thing("a" * 40, Decimal("1.90"), ("x", "y"), Thing("inner"))
    again = "".join(["a"] * 40)
    assert again is not thing.name
    parts = (*thing.parts,)
    copied = with_parts(
        thing, name=again, amount=Decimal("1.90"), parts=parts, inner=with_parts(thing.inner)
    )
    assert copied is thing


def test_whatever_differs_makes_a_copy() -> None:
    """Also a number that is equal, and written in another way."""
    thing = Thing("a", Decimal("1.90"), ("x", "y"), Thing("inner"))
    assert with_parts(thing, name="b") == Thing("b", Decimal("1.90"), ("x", "y"), Thing("inner"))
    assert str(with_parts(thing, amount=Decimal("1.9")).amount) == "1.9"
    assert with_parts(thing, amount=None).amount is None
    assert with_parts(Thing(), amount=Decimal(0)).amount == 0
    assert with_parts(thing, parts=("x",)).parts == ("x",)
    assert with_parts(thing, inner=None).inner is None
