"""The Python API: what ``import pgf_cli`` offers to a notebook, and what the command line is written on."""
