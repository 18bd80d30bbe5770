"""Operators: each defined once in differentiable torch, with its analytic derivatives beside the definition.

Tangents (``jvp``) take and return *stacks*: tensors (1 + K, T, ...) whose first entry is the primal and whose other K
are its tangents, so that a matrix product serves all of them at once. Adjoints (``vjp``) take the primal's arguments
and the adjoints (``*_bar``) of its results, and return those of the arguments, computing what they need of it again.
"""
