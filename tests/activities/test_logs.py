"""What a log shows of an exception: kinds and places, and only words that quote nobody."""

from __future__ import annotations

import logging
import sys

from domain.errors import ConflictError
from starter.logs import DiscreetFormatter

SECRET = "k.brandt@brandt-soehne.example"  # nobody's password, but nobody's business either


def raised() -> logging.LogRecord:
    """A record of a refusal that a foreign error caused while another one was handled."""
    try:
        try:
            try:
                {}[SECRET]
            except KeyError:
                raise ValueError(SECRET)  # noqa: B904 - its context is the point
        except ValueError as error:
            raise ConflictError("There is one already.") from error
    except ConflictError:
        given = sys.exc_info()
    return logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, given)


def test_foreign_words_are_left_out_of_the_whole_chain() -> None:
    """Also if another formatter has written them into the record before."""
    record = raised()
    assert SECRET in logging.Formatter().format(record)

    text = DiscreetFormatter().format(record)
    assert SECRET not in text
    assert "KeyError (its words are left out" in text
    assert "ConflictError: There is one already." in text
    assert text.count("test_logs.py") == 3
