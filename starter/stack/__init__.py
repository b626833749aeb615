"""The embedded stack: every server of one data directory, started, watched and stopped."""
