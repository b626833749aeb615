"""The figures of an invoice: the rounding cases of the law, methods of shops, refusals."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.errors import RefusedError
from domain.invoice import RoundingMethod, TaxCategory
from domain.invoicing import Priced, price, total_problems
from domain.order import ChargeKind, Order, OrderCharge, OrderDiscount, PriceMode
from tests.domain.orders import line, order

D = Decimal


def shop_order(
    lines: list[tuple[str, str, str, str]], total: str, mode: str = "gross", **changes: object
) -> Order:
    """Return an order of (quantity, unit price, rate, discount) lines with the shop's total."""
    return order(
        price_mode=PriceMode(mode),
        lines=tuple(
            line(quantity=D(q), unit_price=D(p), tax_rate=D(r), discount=D(d))
            for q, p, r, d in lines
        ),
        total=D(total),
        **({"total_tax": None} | changes),
    )


def nets(priced: Priced) -> list[str]:
    """Return BT-131 of every line."""
    return [str(each.net_amount) for each in priced.lines]


def test_three_times_19_95_gross_is_50_29_net() -> None:
    """Rounding the unit price to net first would give 50.28."""
    priced = price(shop_order([("3", "19.95", "19", "0")], "59.85"))

    totals = priced.totals
    assert (totals.net, totals.tax, totals.gross) == (D("50.29"), D("9.56"), D("59.85"))
    assert (totals.rounding, totals.payable) == (D("0.00"), D("59.85"))


def test_the_missing_cent_of_one_19_95_goes_into_bt_114() -> None:
    """16.76 + 3.18 is 19.94; the customer pays 19.95 all the same."""
    shop = shop_order([("1", "19.95", "19", "0")], "19.95")

    totals = price(shop).totals
    assert (totals.net, totals.tax, totals.gross) == (D("16.76"), D("3.18"), D("19.94"))
    assert (totals.rounding, totals.payable) == (D("0.01"), D("19.95"))
    assert total_problems(shop) == ()


def test_the_net_of_the_sum_is_spread_over_the_lines() -> None:
    """66.55 + 27.69 + 37.14 would be 131.38 and lose a cent: 131.39 is the net of 156.35."""
    priced = price(
        shop_order([("1", gross, "19", "0") for gross in ("79.20", "32.95", "44.20")], "156.35")
    )

    assert nets(priced) == ["66.56", "27.69", "37.14"]
    totals = priced.totals
    assert (totals.net, totals.tax, totals.gross) == (D("131.39"), D("24.96"), D("156.35"))


@pytest.mark.parametrize(
    ("mode", "net", "tax", "total"),
    [("net", "1952.14", "370.91", "2323.05"), ("gross", "1640.45", "311.69", "1952.14")],
)
def test_a_fractional_quantity_is_rounded_once(mode: str, net: str, tax: str, total: str) -> None:
    """31.67 x 61.64 is 1952.1388."""
    totals = price(shop_order([("31.67", "61.64", "19", "0")], total, mode)).totals

    assert (totals.net, totals.tax, totals.charged) == (D(net), D(tax), D(total))
    assert totals.rounding == 0


@pytest.mark.parametrize(
    ("shop", "net", "rounding", "method"),
    [
        ("69.90", "58.74", "0.00", RoundingMethod.TAX_PER_RATE),
        ("69.88", "58.72", "0.00", RoundingMethod.LINES_UNROUNDED),
        ("69.87", "58.72", "-0.01", RoundingMethod.TOTAL_ROUNDED_ONCE),
    ],
)
def test_discounts_below_a_cent_total_what_the_shop_charged(
    shop: str, net: str, rounding: str, method: RoundingMethod
) -> None:
    """13.98 less 4.194, six times: 58.716 net is 58.72; the tax is that of the sum."""
    order_ = shop_order([("1", "13.98", "19", "4.194")] * 6, shop, "net")
    priced = price(order_)

    totals = priced.totals
    assert (totals.net, totals.tax, totals.payable) == (D(net), D("11.16"), D(shop))
    assert (totals.rounding, priced.method) == (D(rounding), method)
    assert total_problems(order_) == ()


@pytest.mark.parametrize("shop", ["139.80", "139.74"])
def test_twelve_such_lines_too(shop: str) -> None:
    """117.48 net of rounded lines, 117.43 of unrounded ones."""
    order_ = shop_order([("1", "13.98", "19", "4.194")] * 12, shop, "net")

    assert price(order_).totals.charged == D(shop)
    assert total_problems(order_) == ()


def test_tax_rounded_per_line_is_followed_and_named() -> None:
    """Three times 0.13 tax on 0.66 is 0.39; on the sum of 1.98 it is 0.38."""
    priced = price(shop_order([("1", "0.66", "19", "0")] * 3, "2.37", "net"))

    assert priced.method is RoundingMethod.TAX_PER_LINE
    totals = priced.totals
    assert (totals.gross, totals.rounding, totals.payable) == (D("2.36"), D("0.01"), D("2.37"))


@pytest.mark.parametrize("mode", ["net", "gross"])
@pytest.mark.parametrize("cents", ["-0.01", "0.02"])
def test_any_other_cent_is_a_deviation_with_both_figures(mode: str, cents: str) -> None:
    """Never an invoice with a silent cent."""
    right = price(shop_order([("1", "100.00", "19", "0")], "0", mode)).totals.charged
    shop = shop_order([("1", "100.00", "19", "0")], str(right + D(cents)), mode)

    (problem,) = total_problems(shop)
    assert (problem.kind, problem.owner, problem.field) == ("tax_deviation", "accounting", "total")
    assert str(right) in str(problem)
    assert str(shop.total) in str(problem)


def test_a_tax_of_the_shop_that_rounding_cannot_explain_is_a_deviation() -> None:
    """The total may fit while the shop took another rate for it."""
    shop = shop_order([("1", "119.00", "19", "0")], "119.00", total_tax=D("7.79"))

    (problem,) = total_problems(shop)
    assert (problem.field, problem.kind) == ("total_tax", "tax_deviation")
    assert "19.00" in str(problem)
    assert "7.79" in str(problem)


def test_a_cent_of_tax_rounding_is_no_deviation_if_the_total_fits() -> None:
    """Shops round the contained tax per position; what is charged is the same."""
    shop = shop_order([("1", "19.95", "19", "0")] * 3, "59.85", total_tax=D("9.57"))

    assert total_problems(shop) == ()


def test_a_discount_without_a_rate_is_split_in_proportion_to_the_lines() -> None:
    """10.00 off 60.00 at 19 % and 30.00 at 7 %: 6.67 and 3.33."""
    priced = price(
        shop_order(
            [("1", "60.00", "19", "0"), ("1", "30.00", "7", "0")],
            "84.90",
            discounts=(OrderDiscount("Gutschein", D("10.00")),),
            charges=(OrderCharge(ChargeKind.SHIPPING, "Versand", D("4.90"), D(19)),),
        )
    )

    found = [(each.charge, str(each.amount), each.tax_rate) for each in priced.allowances]
    assert found == [(True, "4.90", 19), (False, "6.67", 19), (False, "3.33", 7)]
    assert priced.totals.payable == D("84.90")


def test_a_voucher_greater_than_the_goods_also_pays_the_shipping() -> None:
    """Nothing is left, nothing is negative."""
    priced = price(
        shop_order(
            [("1", "10.00", "7", "0")],
            "0.00",
            discounts=(OrderDiscount("Gutschein", D("14.90")),),
            charges=(OrderCharge(ChargeKind.SHIPPING, "", D("4.90"), D(19)),),
        )
    )

    assert priced.totals.payable == 0
    assert [tax.taxable for tax in priced.taxes] == [0, 0]
    assert priced.allowances[0].reason == "shipping"


def test_a_voucher_for_rounded_lines_is_not_greater_than_they_are() -> None:
    """3 x 0.3333 is sold for 1.00 and paid by a voucher of 1.00."""
    shop = shop_order(
        [("3", "0.3333", "19", "0")], "0.00", discounts=(OrderDiscount("", D("1.00")),)
    )

    assert total_problems(shop) == ()
    assert price(shop).totals.payable == 0


def test_a_charge_of_nothing_is_left_out_and_a_gift_bears_the_leading_rate() -> None:
    """Free shipping and a free sample at "0 %" need no reason: there is no tax in nothing."""
    priced = price(
        shop_order(
            [("1", "10.00", "7", "0"), ("1", "0", "0", "0")],
            "10.00",
            charges=(OrderCharge(ChargeKind.SHIPPING, "Versand", D("4.90"), None, D("4.90")),),
        )
    )

    assert priced.allowances == ()
    assert [each.tax_rate for each in priced.lines] == [7, 7]
    assert [tax.category for tax in priced.taxes] == [TaxCategory.STANDARD]


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("", TaxCategory.ZERO),
        ("§ 4 Nr. 14 UStG", TaxCategory.EXEMPT),
        ("Reverse Charge, service to AT", TaxCategory.REVERSE_CHARGE),
        ("intra-Community supply", TaxCategory.INTRA_COMMUNITY),
        ("export", TaxCategory.EXPORT),
    ],
)
def test_zero_percent_goes_by_its_reason(reason: str, category: TaxCategory) -> None:
    """The reason may come from the order (place of supply) or from a person, on a line."""
    shop = order(
        price_mode=PriceMode.NET, lines=(line(tax_rate=D(0), tax_reason=reason),), total=D(100)
    )

    (tax,) = price(shop).taxes
    assert (tax.category, tax.tax, tax.exemption_reason) == (category, 0, reason)
    assert price(order(lines=(line(tax_rate=D(0)),)), "export").taxes[0].category == "G"


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": ()},
        {"lines": (line(tax_rate=None),)},
        {"lines": (line(quantity=D(-1)),)},
        {"lines": (line(discount=D(101)),)},
        {"charges": (OrderCharge(ChargeKind.FEE, "", D(1), D(19), D(2)),)},
        {"discounts": (OrderDiscount("", D(-1)),)},
        {"discounts": (OrderDiscount("", D(50), D(7)),)},
    ],
)
def test_what_has_no_price_is_refused_never_invoiced(changes: dict[str, object]) -> None:
    """Validation names these first; pricing still does not guess."""
    with pytest.raises(RefusedError, match="cannot be priced") as refused:
        price(order(**changes))

    assert refused.value.problems


def test_discounts_beyond_a_rate_are_a_problem_of_the_total() -> None:
    """No field is wrong by itself; only the sum says so."""
    (problem,) = total_problems(order(discounts=(OrderDiscount("", D(50), D(7)),)))

    assert (problem.field, problem.owner) == ("discounts", "accounting")


def test_an_order_with_an_unsound_field_has_no_total_to_compare() -> None:
    """``order_problems`` names the field; a second, derived problem would only confuse."""
    assert total_problems(order(lines=(line(tax_rate=None),))) == ()
