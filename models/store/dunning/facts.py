"""The facts of all customers, and a rule's filters, as SQL: what ``domain.dunning`` says in Python.

Only the tables that a rule looks at are joined. Values of filters travel as bound parameters, never
as text. A missing value is NULL, and a comparison with NULL takes nobody (X5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.dunning.actions import TRAITS, Action, Need
from domain.dunning.filters import CUSTOM_FIELDS, FIELDS, Filter, Kind, Operator
from domain.dunning.holds import Hold
from domain.dunning.rule import Rule

# Of a block ``b``: it keeps dunning away on the day ``:today``.
HOLDS_TODAY = (
    "b.lifted_at is null and b.since <= cast(:today as date)"
    " and (b.until is null or b.until >= cast(:today as date))"
)

# What each customer owes. ``debt`` is in the company's currency (X16), due or not (X3); ``oldest``
# is the oldest due date that has passed, of what is not disputed or blocked (X12); ``first`` is the
# oldest of all: while it has not passed there is no ladder (X11). ``offset 0`` keeps the planner
# from computing the sums once more for every filter that looks at them.
OWED = f"""
  select o.customer_id,
         coalesce(sum(o.open_amount) filter (where o.currency = :currency), 0) as debt,
         min(o.due_date) as first,
         min(o.due_date) filter (
           where o.due_date < cast(:today as date) and o.invoice_id not in (
             select b.invoice_id from dunning_block b
             where b.invoice_id is not null and {HOLDS_TODAY})) as oldest
  from open_item o where o.open_amount > 0 group by o.customer_id
  offset 0
"""  # noqa: S608 - text of our own

_JOINS = {
    "ladder": """left join dunning_case k
      on k.customer_id = c.id and k.ended_at is null and w.first < cast(:today as date)""",
    "debtor": "left join debtor d on d.customer_id = c.id",
    "tasks": """left join (
      select case_id, count(*) as open_calls from task
      where kind = 'dunning_call' and status = 'open' group by case_id
    ) t on t.case_id = 'dunning-' || c.customer_no""",
    "promises": """left join (
      select customer_id, min(due_date) as first from payment_promise
      where status = 'open' group by customer_id
    ) p on p.customer_id = c.id""",
    "calls": """left join (
      select customer_id, max(called_on) as last from dunning_call
      where successful group by customer_id
    ) s on s.customer_id = c.id""",
}

# Field -> its expression, and the join that it needs beside ``w`` (owed) and ``c`` (customer).
_TODAY = "cast(:today as date)"
_FACTS: dict[str, tuple[str, str]] = {
    "is_problematic": ("coalesce(d.problematic, false)", "debtor"),
    "notices_count": ("coalesce(k.notices_count, 0)", "ladder"),
    "calls_count": ("coalesce(k.calls_count, 0)", "ladder"),
    "debt": ("w.debt", ""),
    "days_since_last_notice": (f"{_TODAY} - k.last_notice_on", "ladder"),
    "oldest_overdue_days": (f"{_TODAY} - w.oldest", ""),
    "preferred_contact": ("coalesce(nullif(d.preferred_contact, ''), 'any')", "debtor"),
    "credit_limit_exceeded": ("coalesce(w.debt > d.credit_limit, false)", "debtor"),
    "open_call_tasks": ("coalesce(t.open_calls, 0)", "tasks"),
    "promise_overdue_days": (
        f"case when p.first < {_TODAY} then {_TODAY} - p.first end",
        "promises",
    ),
    "days_since_successful_call": (f"{_TODAY} - s.last", "calls"),
    **{
        f"custom_field_{n}": (f"nullif(d.custom_field_{n}, '')", "debtor")
        for n in range(1, CUSTOM_FIELDS + 1)
    },
}

_NEEDS = {
    Need.OVERDUE: ("w.oldest is not null", ""),
    Need.AGREED_DATE: ("p.first is not null", "promises"),
    Need.DEBT: ("true", ""),
}

_BLOCKED = f"""exists (select from dunning_block b
  where b.customer_id = c.id and b.invoice_id is null and {HOLDS_TODAY})"""
_PENDING = """exists (select from dunning_notice n
  where n.customer_id = c.id and n.status in ('proposed', 'approved', 'unknown'))"""
_REJECTED = f"""exists (select from dunning_notice n
  where n.customer_id = c.id and n.rule_id = :rule_id and n.not_before > {_TODAY})"""
_TAKEN = f"""exists (select from dunning_claim x
  where x.customer_id = c.id and x.day = {_TODAY} and x.lane = :lane)"""


@dataclass(frozen=True, slots=True)
class Matched:
    """The query for whom a rule matches, and the values to bind to it.

    Columns: customer_id, customer_no, name, matched (the compared values as JSON), hold (why not
    taken; NULL if taken). ``:today, :currency, :rule_id, :lane`` are the caller's.
    """

    query: str
    values: dict[str, Any]


def matched(rule: Rule) -> Matched:
    """Compile a rule into one query over all customers."""
    needed, need_join = _NEEDS[TRAITS[rule.action].need]
    joins = {need_join, *(_FACTS[one.field][1] for one in rule.filters)}
    conditions, values = [needed], dict[str, Any]()
    for number, one in enumerate(rule.filters):
        conditions.append(_condition(one, f"f{number}"))
        values[f"f{number}"] = one.value
    hold, hold_join = _hold(rule.action)
    joins |= {hold_join}
    fields = dict.fromkeys(one.field for one in rule.filters)
    shown = ", ".join(f"'{field}', {_shown(field)}" for field in fields)
    tables = "\n    ".join(_JOINS[join] for join in sorted(joins - {""}))
    query = f"""
    select c.id as customer_id, c.customer_no, c.name, jsonb_build_object({shown}) as matched,
           {hold} as hold
    from ({OWED}) w
    join customer c on c.id = w.customer_id
    {tables}
    where {" and ".join(conditions)}"""  # noqa: S608 - names are ours, values are bound
    return Matched(query, values)


def _condition(one: Filter, parameter: str) -> str:
    expression, kind = _FACTS[one.field][0], FIELDS[one.field].kind
    if one.operator is Operator.CONTAINS:
        return f"strpos({expression}, cast(:{parameter} as text)) > 0"
    operator = "<>" if one.operator is Operator.UNEQUAL else one.operator.value
    bound = {
        Kind.YES_NO: f"cast(:{parameter} as boolean)",
        Kind.WHOLE: f"cast(:{parameter} as integer)",
    }.get(kind, f"cast(:{parameter} as text)")
    return f"({expression}) {operator} {bound}"


def _shown(field: str) -> str:
    """Write a value into JSON: a sum as text, so that it stays exact."""
    expression = _FACTS[field][0]
    return f"cast({expression} as text)" if field == "debt" else expression


def _hold(action: Action) -> tuple[str, str]:
    """Return the reason why a step is held back, and the join that it needs."""
    traits = TRAITS[action]
    promises = traits.contacts and action is not Action.INSTALMENT_REMINDER
    reasons = (
        (Hold.BLOCKED, _BLOCKED, traits.contacts),
        (Hold.PENDING, _PENDING, traits.takes_day),
        (Hold.REJECTED, _REJECTED, traits.sends),
        (Hold.PROMISED, f"p.first >= {_TODAY}", promises),
        (Hold.NO_EMAIL, "c.email = ''", action is Action.EMAIL),
        (Hold.TAKEN, _TAKEN, True),
    )
    cases = " ".join(f"when {sql} then '{reason}'" for reason, sql, applies in reasons if applies)
    return f"case {cases} end", "promises" if promises else ""
