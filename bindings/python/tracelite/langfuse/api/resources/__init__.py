"""`langfuse.api.resources`, as SDK v2 and v3 have it."""
