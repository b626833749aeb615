"""The ladder: what raises the level and the counters, and what does not."""

from __future__ import annotations

from datetime import date

import pytest

from domain.dunning.ladder import Ladder, call_made, notice_sent, proposer, template_of

DAY = date(2026, 3, 3)


def test_a_notice_that_was_sent_raises_all() -> None:
    """X2, X8: level, number of notices, and the day from which L5 counts."""
    assert notice_sent(Ladder(), DAY) == Ladder(1, 1, 0, DAY)


def test_what_a_person_writes_counts_only_if_they_say_so() -> None:
    """L14, L15."""
    before = Ladder(1, 1, 2, date(2026, 2, 1))
    assert notice_sent(before, DAY, by_rule=False) == before
    assert notice_sent(before, DAY, by_rule=False, raise_level=True) == Ladder(2, 2, 2, DAY)


def test_a_call_is_no_notice() -> None:
    """O3: the counter of notices and the level stay."""
    assert call_made(Ladder(2, 2, 0, DAY)) == Ladder(2, 2, 1, DAY)


def test_templates_grow_firmer() -> None:
    """Reminder, first notice, and the final one from then on."""
    assert [template_of(level) for level in (1, 2, 3, 4)] == [
        *("payment_reminder", "first_notice", "final_notice", "final_notice")
    ]
    with pytest.raises(ValueError, match="level 1"):
        template_of(0)


def test_a_rule_has_no_proposer() -> None:
    """X14: also when somebody pressed "run now"; four eyes binds what people propose."""
    assert proposer(rule=True, asked_by="anna") == ""
    assert proposer(rule=False, asked_by="anna") == "anna"
