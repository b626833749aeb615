"""The present of an activity: the workflow's time, and what has passed since it asked."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import activity


def present(at: datetime) -> datetime:
    """Return the workflow's time ``at`` plus how long the activity has waited to be run.

    For decisions about the day: an attempt after hours without a database belongs to another one.
    """
    info = activity.info()
    waited = info.started_time - info.scheduled_time
    return at + max(waited, timedelta(0))
