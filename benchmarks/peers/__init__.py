"""Who is measured. Each peer is a process that does the same work; see WORKERS."""
