"""Failpoints are armed by the environment alone, strictly, and never where customers get mail."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from activities.failpoints import VARIABLE, Failpoint, Mode, Point, armed, parse
from domain.errors import RefusedError
from models.settings import Settings
from worker import every_activity_of

NAMES = [activity.__name__ for activity in every_activity_of(None)]  # type: ignore[arg-type]


def test_the_form_of_a_failpoint() -> None:
    """Point, activity, mode and the time it is passed; the first time where none is given."""
    assert parse("after_commit:create_invoice:exit", NAMES) == Failpoint(
        Point.AFTER_COMMIT, "create_invoice", Mode.EXIT
    )
    assert parse("after_mark:send_email:raise:3", NAMES).nth == 3
    assert parse("after_acceptance:send_notice:exit", NAMES).activity == "send_notice"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "needs the form"),
        ("after_commit:create_invoice", "needs the form"),
        ("after_commit:create_invoice:exit:1:2", "needs the form"),
        ("after:create_invoice:exit", "its point must be one of: before_effect"),
        ("after_commit:make_coffee:exit", "its activity must be one of: validate_customer"),
        ("after_commit:create_invoice:EXIT", "its mode must be one of: exit"),
        ("after_commit:create_invoice:exit:0", "1 or more"),
        ("after_commit:create_invoice:exit:²", "1 or more"),
        (
            "after_mark:create_invoice:exit",
            "only send_email, send_notice, tell_manager have the point after_mark",
        ),
    ],
)
def test_a_malformed_one_is_refused(text: str, why: str) -> None:
    """One sentence says what is wrong with it; nothing is guessed."""
    with pytest.raises(RefusedError, match=why) as refused:
        parse(text, NAMES)
    assert text in refused.value.message


def test_it_is_armed_aloud_and_only_with_the_embedded_mailbox(tmp_path: Path) -> None:
    """Not set: nothing. With a real mail server: refused. Else: a loud line in the log."""
    environment = {VARIABLE: "before_return:close_case:raise"}
    embedded = Settings(_env_file=None, mailbox_dir=tmp_path)
    real = Settings(_env_file=None, mailbox_dir=None)

    assert armed({}, real, NAMES) is None
    with pytest.raises(RefusedError, match="real mail server"):
        armed(environment, real, NAMES)
    with capture_logs() as logs:
        points = armed(environment, embedded, NAMES)
    assert points
    assert str(points.failpoint) == "before_return:close_case:raise:1"
    assert [line["log_level"] for line in logs] == ["warning"]
    assert "FAILPOINT ARMED" in logs[0]["event"]
