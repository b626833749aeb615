"""``python -m starter.cli`` is ``zahltag``."""

from starter.cli import zahltag

zahltag()
