"""The model families, one entry each: ``registry.py`` lists them."""
