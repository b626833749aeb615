"""The HTTP API and the webhooks: thin routes over the store; they start nothing in Temporal."""
