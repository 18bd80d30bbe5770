"""The studies, a room each: what is measured, and what is said of it."""
