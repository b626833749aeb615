"""What an operator reads in the Temporal Web UI: amounts as on the invoice, words as people say."""

from __future__ import annotations

from tests.workflows.house import House
from workflows.display import details


async def test_an_operator_reads_where_a_case_stands(house: House) -> None:
    """Status, next step, why, the amount to the cent, and the four statuses."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    progress = await house.progress(case_id)

    lines = details(progress).splitlines()

    assert lines[0] == "**awaiting payment**"
    assert "- **Open amount:** 119.00 EUR" in lines
    assert f"- **Why:** {progress.plan.why}" in lines
    assert lines[-1] == (
        "- **Payment** later · **fulfilment** not tracked · **return** none · **accounting** invoiced"
    )
