"""Runs the demo's stories: submits the samples, acts like a person would, waits for the endings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import RefusedError
from starter.cli.client import Client
from starter.cli.demo_stories import REFUSED, STORIES, Act, Correct, Decide, Pay, Story

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "orders"
# How long nothing may move before the demo says what did not end as it should.
PATIENCE = 60.0
POLL_SECONDS = 0.3

Say = Callable[[str], None]
Case = dict[str, Any]


@dataclass(slots=True)
class Ending:
    """One sample order: its story, its case, what is left to do, and what is wrong at the end."""

    name: str
    story: Story | None
    case_id: str = ""
    refusal: str = ""
    left: list[Act] = field(default_factory=list)
    case: Case = field(default_factory=dict)
    mails: list[str] = field(default_factory=list)
    wrong: str = ""

    @property
    def there(self) -> bool:
        """Whether nothing is left to do and the case stands where its story ends."""
        story = self.story
        if story is None or story.status == REFUSED:
            return True
        mailed = Counter(self.mails) == Counter(story.mails)
        return not self.left and self.case.get("status") == story.status and mailed


def run(client: Client, say: Say) -> list[Ending]:
    """Tell every story and return how it ended."""
    endings = [_submit(client, path, say) for path in _files()]
    open_ones = [ending for ending in endings if ending.case_id]
    moved, seen = time.monotonic(), ""
    while time.monotonic() - moved < PATIENCE:
        _look(client, open_ones)
        for ending in open_ones:
            _act(client, ending, say)
        there = sum(ending.there for ending in open_ones)
        if there == len(open_ones) and not any(ending.left for ending in open_ones):
            break
        now = repr([(e.case.get("next_step"), e.mails, len(e.left)) for e in open_ones])
        if now != seen:
            moved, seen = time.monotonic(), now
        time.sleep(POLL_SECONDS)
    say(f"{sum(e.there for e in open_ones)} of {len(open_ones)} cases stand where they should")
    for ending in endings:
        ending.wrong = ending.wrong or _judge(ending)
    return endings


def _files() -> list[Path]:
    """Return the sample orders, each original before its duplicate."""
    return sorted(SAMPLES.glob("*.json"), key=lambda path: ("duplicate" in path.name, path.name))


def _submit(client: Client, path: Path, say: Say) -> Ending:
    name = path.stem
    ending = Ending(name, STORIES.get(name))
    ending.left = list(ending.story.acts) if ending.story else []
    source = {"source": name.partition("-")[0]}
    try:
        answer = client.send("POST", ("orders",), path.read_bytes(), source)
    except RefusedError as refused:
        ending.refusal = refused.message
        say(f"{name}: refused")
        return ending
    ending.case_id = answer.json()["case_id"]
    say(f"{name}: {'known as' if answer.json()['known'] else 'taken in as'} {ending.case_id}")
    return ending


def _look(client: Client, endings: list[Ending]) -> None:
    cases = {case["id"]: case for case in client.get("cases")}
    mails = client.get("mails")
    for ending in endings:
        ending.case = cases[ending.case_id]
        ending.mails = [m["kind"] for m in mails if m["case_id"] == ending.case_id]


def _act(client: Client, ending: Ending, say: Say) -> None:
    """Do the next thing if the case is ready for it; a case from an earlier demo is past most."""
    if not ending.left or not ending.story:
        return
    act, status = ending.left[0], ending.case["status"]
    if isinstance(act, Pay):
        done = bool(ending.case["invoice_no"]) and _pay(client, ending, act, say)
    elif status == ending.story.status:
        done = True
    elif isinstance(act, Correct):
        done = status == "needs_correction" and _correct(client, ending, act, say)
    else:
        done = status == "needs_approval" and _decide(client, ending, act, say)
    if done:
        ending.left.pop(0)


def _correct(client: Client, ending: Ending, act: Correct, say: Say) -> bool:
    client.post("cases", ending.case_id, "correct", body={"fields": dict(act.fields)})
    say(f"{ending.name}: corrected {', '.join(act.fields)}")
    return True


def _decide(client: Client, ending: Ending, act: Decide, say: Say) -> bool:
    waiting = [a for a in client.get("approvals") if a["case_id"] == ending.case_id]
    for approval in waiting:
        number = str(approval["id"])
        if act.reject:
            client.post("approvals", number, "reject", body={"reason": act.reject})
        else:
            client.post("approvals", number, "approve")
        say(f"{ending.name}: {'rejected' if act.reject else 'approved'}")
    return bool(waiting)


def _pay(client: Client, ending: Ending, act: Pay, say: Say) -> bool:
    """Record each payment twice: the second time it must be known."""
    for number, amount in enumerate(act.amounts, 1):
        body = {
            "invoice_no": ending.case["invoice_no"],
            "amount": amount,
            "currency": act.currency,
            "reference": f"DEMO-{ending.name}-{number}",
        }
        word = "known" if client.post("payments", body=body)["known"] else "recorded"
        if not client.post("payments", body=body)["known"]:
            ending.wrong = f"the payment {body['reference']} was booked twice"
        say(f"{ending.name}: payment of {amount} {act.currency} {word}")
    return True


def _judge(ending: Ending) -> str:
    """Say what is not as the story wants it; "" if all is."""
    story = ending.story
    if story is None:
        return ""
    if story.status == REFUSED:
        return "" if ending.refusal else "it was taken in and should have been refused"
    if not ending.case_id:
        return f"it was refused: {ending.refusal}"
    case, found = ending.case, []
    if case["status"] != story.status:
        found.append(f"its status is {case['status']}, expected {story.status}")
    if story.total and case["total"] != story.total:
        found.append(f"its total is {case['total']}, expected {story.total}")
    if Counter(ending.mails) != Counter(story.mails):
        mails, expected = ", ".join(ending.mails), ", ".join(story.mails)
        found.append(f"its mails are {mails or 'none'}, expected {expected or 'none'}")
    if ending.left:
        found.append("it was never ready for what a person would have done")
    return "; ".join(found)
