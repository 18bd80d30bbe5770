"""``bench scaling``: what is measured, and what is said of it."""
