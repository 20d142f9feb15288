"""What no input, fault or build may do: crash, leak, hang, or tell something that is not so."""
