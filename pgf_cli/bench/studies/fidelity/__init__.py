"""``bench fidelity``: what is measured, and what is said of it."""
