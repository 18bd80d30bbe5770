"""What a run writes: output formats and their registry, tables, and files that appear together or not at all.

Import from the modules: `registry` is light, formats bring the libraries that they need.
"""
