"""Make web services on Flask or Express that behave the same from outside."""

__version__ = "0.1.0"
