"""The `turnout` command, thin: one module for each group of commands."""
