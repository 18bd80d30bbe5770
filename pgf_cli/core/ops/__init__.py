"""Operators: each defined once in differentiable torch, with an analytic derivative beside the definition.

Derivatives take and return *stacks*: tensors (1 + K, T, ...) whose first entry is the primal and whose other K are its
tangents, so that a matrix product serves all of them at once.
"""
