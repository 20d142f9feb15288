"""The control plane: one table of its methods, and their explicit signatures, sync and async."""
