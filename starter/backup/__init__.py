"""Backups: every fact of one moment in one directory, and back again, whole or not at all."""
