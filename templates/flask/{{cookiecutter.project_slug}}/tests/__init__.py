"""The tests: through the API where possible, from outside where it must be."""
