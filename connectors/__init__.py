"""One module per outside system, each behind a small protocol: here mail and its mailbox."""
