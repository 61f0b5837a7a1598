"""What every generated app promises, and how to try it from outside."""
