"""Whatever starts or signals a workflow: command line, API, dispatcher, embedded servers."""
