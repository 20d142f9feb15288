"""The operations whose every allocation test_python_memory.py makes fail, by what they work on."""
