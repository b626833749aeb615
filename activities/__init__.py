"""Effects: one activity, one effect, one business key. Thin: store, connector or document."""
