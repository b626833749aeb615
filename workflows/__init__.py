"""Orchestration: what happens after what, and what is waited for. One workflow a file."""
