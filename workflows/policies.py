"""How each kind of effect is tried, repeated and given up: one table, read in one place.

Repeating is safe because every effect is keyed. An error that a rule of the business raises is not
repeated at all; everything else is, until it works or the effect's own deadline has passed. What
no repeating mends becomes an exception with a task, and `case retry` goes on there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from temporalio.common import RetryPolicy

from domain.dunning import case as dunning
from domain.order_case import Step


@dataclass(frozen=True)
class EffectPolicy:
    """Deadlines and repetition for one kind of effect.

    ``local``: nothing but our own house is in its way, so it is first tried inside the workflow
    task (``LOCAL_TRIES``) and only then as a regular activity with all the patience of one.
    ``give_up_after`` is the business deadline; ``None`` repeats until it works.
    """

    local: bool
    one_try: timedelta
    retry: RetryPolicy
    give_up_after: timedelta | None = None


DATABASE = EffectPolicy(
    local=True,
    one_try=timedelta(seconds=20),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2,
        maximum_interval=timedelta(minutes=1),
    ),
)
DOCUMENT = EffectPolicy(
    local=False,
    one_try=timedelta(seconds=60),
    retry=DATABASE.retry,
)
INVOICE = EffectPolicy(
    local=True,
    one_try=DOCUMENT.one_try,
    retry=DATABASE.retry,
)
MAIL = EffectPolicy(
    local=False,
    one_try=timedelta(seconds=90),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=2),
        backoff_coefficient=2,
        maximum_interval=timedelta(minutes=10),
    ),
    give_up_after=timedelta(hours=24),
)

# A CRM that is away does not keep an update waiting: it is postponed by the activity itself, so
# that these repetitions are about our own database.
DEAL = EffectPolicy(
    local=False,
    one_try=timedelta(seconds=90),
    retry=DATABASE.retry,
)
FETCH = EffectPolicy(
    local=False,
    one_try=timedelta(minutes=5),
    retry=MAIL.retry,
)

# A notice is looked at anew every hour: its day, its sums and its deadline grow old otherwise.
NOTICE = EffectPolicy(
    local=False,
    one_try=MAIL.one_try,
    retry=MAIL.retry,
    give_up_after=timedelta(hours=1),
)

# The steps of a rule's run work on all customers, or on a page of them.
RUN = EffectPolicy(
    local=False,
    one_try=timedelta(minutes=5),
    retry=DATABASE.retry,
)

POLICIES: Mapping[str, EffectPolicy] = {
    Step.VALIDATE_CUSTOMER: DATABASE,
    Step.CREATE_INVOICE: INVOICE,
    Step.SET_DUE_DATE: DATABASE,
    Step.SEND_EMAIL: MAIL,
    Step.CREATE_TASK: DATABASE,
    Step.RECONCILE_PAYMENT: DATABASE,
    Step.REQUEST_APPROVAL: DATABASE,
    Step.NOTE_OVERDUE: DATABASE,
    Step.CLOSE_CASE: DATABASE,
    Step.CLOSE_TASKS: DATABASE,
    Step.CANCEL_INVOICE: DOCUMENT,
    Step.WRITE_OFF: DATABASE,
    Step.UPDATE_DEAL: DEAL,
    "fetch_order": FETCH,
    "take_decision": DATABASE,
    "look_at_dunning": DATABASE,
    dunning.Step.ANSWER_CLAIM: DATABASE,
    dunning.Step.ANSWER_BOUNCE: DATABASE,
    dunning.Step.RENEW_NOTICE: DATABASE,
    dunning.Step.DROP_NOTICE: DATABASE,
    dunning.Step.ESCALATE_APPROVAL: DATABASE,
    dunning.Step.ASK_ABOUT_MONEY: DATABASE,
    dunning.Step.SEND_NOTICE: NOTICE,
    dunning.Step.END_DUNNING: DATABASE,
    "report_dunning_failure": DATABASE,
    "take_dunning_decision": DATABASE,
    "call_rule": RUN,
    "due_rules": DATABASE,
    "select_customers": RUN,
    "hand_over": RUN,
    "mark_customers": RUN,
    "group_managers": RUN,
    "tell_manager": MAIL,
    "finish_run": DATABASE,
    "report_run_failure": DATABASE,
}

# A worker that has not beaten for this long is dead (``activities.pulse``): the effect is tried
# elsewhere. An outage of the server may look the same, so a second try may begin beside the first.
SILENCE = timedelta(seconds=10)

LOCAL_TRIES = RetryPolicy(
    initial_interval=timedelta(milliseconds=100), backoff_coefficient=3, maximum_attempts=3
)
# Of one try; and of all of them with the time for which a busy worker lets them wait.
LOCAL_TRY = timedelta(seconds=3)
LOCAL_DEADLINE = timedelta(seconds=12)
