"""Where rings are kept: memory, SQLite and what comes later."""
