"""What holds for every order there could be: EN 16931's arithmetic, conservation, no negatives."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.allocation_rounding import distribute, proportion
from domain.invoicing import Priced, price, total_problems
from domain.money import minor_units, round_amount
from domain.order import ChargeKind, Order, OrderCharge, OrderDiscount, OrderLine, PriceMode
from domain.positions import overdrawn
from tests.domain.orders import order

RATES = st.sampled_from([Decimal(rate) for rate in ("0", "2.6", "4.9", "7", "8.1", "19", "25.5")])
CURRENCIES = st.sampled_from(["EUR", "CHF", "JPY", "KWD"])
STEPS = st.sampled_from([Decimal(step) for step in ("1", "0.01", "0.001")])


def amounts(most: int = 5000, places: int = 2) -> st.SearchStrategy[Decimal]:
    """Return positive decimals."""
    return st.decimals(0, most, places=places, allow_nan=False, allow_infinity=False)


@st.composite
def lines(draw: st.DrawFn) -> OrderLine:
    """Return a line, sometimes with a discount below the cent."""
    quantity = draw(st.one_of(st.integers(1, 60).map(Decimal), amounts(50, 3).filter(bool)))
    unit_price = draw(amounts(places=draw(st.sampled_from([2, 4]))))
    share = draw(st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("0.333"), Decimal(1)]))
    discount = round(quantity * unit_price * share, draw(st.sampled_from([2, 3])))
    return OrderLine(
        name="x",
        quantity=quantity,
        unit_price=unit_price,
        tax_rate=draw(RATES),
        discount=min(discount, quantity * unit_price),
    )


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Return an order with lines, charges and discounts whose total is still unknown."""
    charges = st.builds(
        OrderCharge, st.just(ChargeKind.SHIPPING), st.just("y"), amounts(50), RATES | st.none()
    )
    discounts = st.builds(OrderDiscount, st.just("z"), amounts(100), RATES | st.none())
    found = order(
        currency=draw(CURRENCIES),
        price_mode=draw(st.sampled_from(PriceMode)),
        lines=tuple(draw(st.lists(lines(), min_size=1, max_size=8))),
        charges=tuple(draw(st.lists(charges, max_size=2))),
        discounts=tuple(draw(st.lists(discounts, max_size=2))),
        total=Decimal(-1),
        total_tax=None,
    )
    assume(not overdrawn(found))
    return found


def en_16931_holds(priced: Priced, currency: str) -> None:
    """Assert BR-CO-10 to BR-CO-17, to the last minor unit."""
    totals = priced.totals
    reductions = [each.net_amount for each in priced.allowances if not each.charge]
    charges = [each.net_amount for each in priced.allowances if each.charge]
    assert totals.lines == sum(each.net_amount for each in priced.lines)
    assert totals.allowances == sum(reductions)
    assert totals.charges == sum(charges)
    assert totals.net == totals.lines - totals.allowances + totals.charges
    assert totals.net == sum(each.taxable for each in priced.taxes)
    assert totals.tax == sum(each.tax for each in priced.taxes)
    assert totals.gross == totals.net + totals.tax
    assert totals.payable == totals.gross - totals.prepaid + totals.rounding
    for each in priced.taxes:
        assert each.tax == round_amount(each.taxable * each.rate / 100, currency)


@settings(max_examples=60, deadline=None)
@given(orders())
def test_the_arithmetic_of_the_standard_holds_to_the_cent(found: Order) -> None:
    """Also for currencies without decimals and with three, whatever the shop's total says."""
    priced = price(found)

    en_16931_holds(priced, found.currency)
    keys = [(each.tax_category, each.tax_rate) for each in (*priced.lines, *priced.allowances)]
    assert {(tax.category, tax.rate) for tax in priced.taxes} == set(keys)


@settings(max_examples=60, deadline=None)
@given(orders())
def test_nothing_is_negative_and_everything_has_whole_minor_units(found: Order) -> None:
    """Only BT-114 may have a sign."""
    priced = price(found)
    step = Decimal(1).scaleb(-minor_units(found.currency))

    figures = [each.net_amount for each in (*priced.lines, *priced.allowances)]
    figures += [each.discount_net for each in priced.lines]
    figures += [figure for tax in priced.taxes for figure in (tax.taxable, tax.tax)]
    figures += [priced.totals.net, priced.totals.tax, priced.totals.gross, priced.totals.payable]
    for figure in figures:
        assert figure >= 0
        assert figure % step == 0


@settings(max_examples=60, deadline=None)
@given(orders())
def test_a_gross_order_charges_exactly_the_sum_of_its_gross_prices(found: Order) -> None:
    """The rounding amount never exceeds a minor unit for each rate."""
    found = replace(found, price_mode=PriceMode.GROSS)
    assume(not overdrawn(found))
    priced = price(found)

    shown = sum((each.amount for each in priced.lines), Decimal(0))
    for each in priced.allowances:
        shown += each.amount if each.charge else -each.amount
    assert priced.totals.charged == shown
    step = Decimal(1).scaleb(-minor_units(found.currency))
    assert abs(priced.totals.rounding) <= step * len(priced.taxes)
    assert total_problems(replace(found, total=shown)) == ()


@settings(max_examples=60, deadline=None)
@given(orders(), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_does_not_change_the_totals(found: Order, chance: object) -> None:
    """A cent may move from one line to another, never into or out of a sum."""
    shuffled = list(found.lines)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = price(found), price(replace(found, lines=tuple(shuffled)))

    assert (first.totals, first.taxes) == (second.totals, second.taxes)


@settings(max_examples=60, deadline=None)
@given(orders())
def test_the_line_net_follows_from_quantity_unit_price_and_allowance(found: Order) -> None:
    """BT-131 = BT-129 x BT-146 - BT-136, with a unit price of at most six decimals."""
    found = replace(found, currency="EUR")
    assume(not overdrawn(found))
    for each in price(found).lines:
        full = (each.quantity * each.unit_net_price).quantize(
            Decimal("0.01"), rounding=ROUND_HALF_UP
        )
        assert full - each.discount_net == each.net_amount
        assert each.unit_net_price == round(each.unit_net_price, 6)


@given(st.lists(amounts(1000, 5), min_size=1, max_size=12), STEPS)
def test_distribute_conserves_and_moves_less_than_a_step(
    parts: list[Decimal], step: Decimal
) -> None:
    """Also with negative parts, as discounts are."""
    signed = [-part if index % 3 == 2 else part for index, part in enumerate(parts)]
    total = (sum(signed) / step).to_integral_value(ROUND_HALF_UP) * step

    rounded = distribute(total, signed, step)
    assert sum(rounded) == total
    assert all(abs(new - old) < step for new, old in zip(rounded, signed, strict=True))


@given(st.integers(0, 100000), st.lists(amounts(1000), min_size=1, max_size=6))
def test_proportion_gives_nothing_to_a_weight_of_nothing(
    cents: int, weights: list[Decimal]
) -> None:
    """Unless all are nothing: then they share equally."""
    total, step = Decimal(cents) / 100, Decimal("0.01")
    parts = proportion(total, weights, step)

    assert sum(parts) == total
    if any(weights):
        assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if not weight)
