"""The sample orders do what their names say, and the documentation says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.mapping_docs import published_files
from connectors.shops import SHOPS
from domain.corrections import correct
from domain.duplicates import content_digest
from domain.errors import RefusedError
from domain.order import PaymentStatus
from domain.pricing import total_problems
from domain.risk import risk_signals, special_instructions
from domain.validation import order_problems
from models.codec import order_json, read_order
from tests.connectors.samples import NAMES, REFUSED, SAMPLES, read
from tests.domain.orders import COMPANY

DOCS = Path(__file__).resolve().parents[2] / "docs"
WAITING = {
    "crm-missing-fields": ["billing.street", "billing.postcode", "lines.1.tax_rate"],
    "woocommerce-missing-address": ["billing.street", "billing.postcode"],
    "zahltag-missing-tax-rate": ["lines.2.tax_rate"],
    "zahltag-test-order": ["test"],
    "zahltag-total-off-by-a-cent": ["total"],
}
MENDING = {
    "crm-missing-fields": {
        "billing.street": "Schillerstraße 6",
        "billing.postcode": "39576",
        "lines.1.tax_rate": "19",
    },
    "woocommerce-missing-address": {
        "billing.street": "Prager Straße 10",
        "billing.postcode": "01069",
        "shipping.street": "Prager Straße 10",
        "shipping.postcode": "01069",
    },
    "zahltag-missing-tax-rate": {"lines.2.tax_rate": "19"},
    "zahltag-test-order": {"test": "no"},
    "zahltag-total-off-by-a-cent": {"total": "59.85"},
}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSED])
def test_a_sample_is_sound_or_waits_as_its_name_says(name: str) -> None:
    """Its totals agree to the cent; what waits goes on after its correction."""
    order = read(name)
    problems = [*order_problems(order, COMPANY), *total_problems(order)]

    assert [problem.field for problem in problems] == WAITING.get(name, [])
    if name in MENDING:
        mended = correct(order, MENDING[name])
        assert (*order_problems(mended, COMPANY), *total_problems(mended)) == ()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_sample_that_is_to_be_refused_is(name: str) -> None:
    """At the door, in one sentence."""
    with pytest.raises(RefusedError):
        read(name)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSED])
def test_a_sample_that_was_stored_has_the_digest_it_came_with(name: str) -> None:
    """So what was stored can be compared with what comes again."""
    order = read(name)
    assert content_digest(read_order(order_json(order))) == content_digest(order)


@pytest.mark.parametrize("source", SHOPS)
def test_each_source_has_one_plain_good_order_that_awaits_its_money(source: str) -> None:
    """``payment record`` closes its case."""
    order = read(f"{source}-ok")

    assert order.payment.status in {PaymentStatus.OPEN, PaymentStatus.LATER}
    assert order.currency == "EUR"
    assert risk_signals(order) == ()


def test_no_two_samples_share_a_number_or_a_customer_unless_meant() -> None:
    """They can all be submitted to one house."""
    orders = [read(name) for name in NAMES if name not in REFUSED | {"zahltag-duplicate-of-ok"}]

    assert len({(order.source, order.order_no) for order in orders}) == len(orders)
    assert len({order.buyer.email for order in orders}) == len(orders)


def test_the_risky_sample_shows_every_kind_of_sign() -> None:
    """For the person who approves."""
    order = read("zahltag-risk")

    assert len(risk_signals(order)) == 3
    assert special_instructions(order.note) == (
        "neutral_packaging",
        "delivery_date",
        "leave_with_neighbour",
    )


def test_the_readme_names_every_sample() -> None:
    """And nothing else."""
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    named = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}

    assert named == {f"{name}.json" for name in NAMES}


@pytest.mark.parametrize("name", published_files())
def test_the_published_documents_are_current(name: str) -> None:
    """Else: ``python -m connectors.mapping_docs``."""
    assert (DOCS / name).read_text(encoding="utf-8") == published_files()[name]
