# ruff: noqa: INP001 - a script beside its pictures, no package
"""Take the screenshots of docs/operations.md: our cases in the Temporal Web UI.

Start the sample story in another shell (``make demo``), then, with any Chromium on the machine::

    pip install playwright
    python docs/images/take.py            # .zahltag, or the data directory named as argument

It only looks and fills in forms; it sends nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).parent
ZAHLTAG = HERE.parents[1] / ".venv" / "bin" / "zahltag"
WINDOW = {"width": 1400, "height": 860}
CORRECTION = """{
  "id": "second-order-ZT-1002",
  "by": "olga",
  "fields": {"accept.duplicate_order": "yes"}
}"""


def main(data_dir: str) -> None:
    """Take every picture anew."""
    said = subprocess.run(
        [ZAHLTAG, "--data-dir", data_dir, "status", "--json"], capture_output=True, check=True
    )
    home = f"{json.loads(said.stdout)['web_ui']}/namespaces/default/workflows"
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))))
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport=WINDOW, color_scheme="light")
        attention(page, home)
        timeline(page, home)
        details(page, home, "order-zahltag-ZT-1002", "details")
        details(page, home, "dunning-A-1001", "dunning")
        update(page, home)
        chromium.close()


def attention(page: Page, home: str) -> None:
    """The list of the cases that need a person."""
    page.goto(f"{home}?query={quote('NeedsAttention = true')}")
    expect(page.get_by_role("link", name="order-zahltag-ZT-1002")).to_be_visible()
    take(page, "attention")


def timeline(page: Page, home: str) -> None:
    """A case that waits for its money: what happened, and the timer of its due date."""
    page.goto(f"{home}/order-woocommerce-3103")
    expect(page.get_by_text("send_email").first).to_be_visible()
    take(page, "timeline")


def details(page: Page, home: str, case: str, name: str) -> None:
    """Where a case stands, what comes next, why, and what would change it."""
    page.goto(f"{home}/{case}")
    page.get_by_text("User Metadata", exact=True).click()
    current = page.frame_locator("iframe").nth(1)
    expect(current.get_by_text("Why:")).to_be_visible()
    take(page, name)


def update(page: Page, home: str) -> None:
    """A correction, ready to be sent."""
    page.goto(f"{home}/order-zahltag-ZT-1002")
    page.get_by_role("button", name="More Actions").click()
    page.get_by_role("menuitem", name="Send an Update").locator("visible=true").click()
    page.get_by_role("button", name="Select an Update").locator("visible=true").click()
    page.get_by_role("option", name="correct").locator("visible=true").click()
    page.locator("dialog[open] [contenteditable=true]").locator("visible=true").fill(CORRECTION)
    take(page, "update")


def take(page: Page, name: str) -> None:
    """Save what is seen, once nothing moves any more."""
    page.wait_for_timeout(1_000)
    page.screenshot(path=HERE / f"{name}.png")
    print(f"docs/images/{name}.png")  # noqa: T201 - it is run by hand


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".zahltag")
