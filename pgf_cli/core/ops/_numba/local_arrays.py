"""Small arrays on the stack of a compiled loop.

The compiler knows that no two of them overlap. With arrays from the heap it must check at run time, and gives up
vectorising a loop that touches more than a handful. An array is allocated once in each call of the function that it
is in, and holds whatever was there before.
"""

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable
from numba.np.numpy_support import carray

_VECTOR_BYTES = 64


def local_array(*shape: int) -> Any:
    """Return a function for compiled code: from a dtype to an array of this shape."""

    def stack_memory(typingctx: Any, dtype: Any) -> Any:
        kind = dtype.dtype

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> ir.Value:
            # In the function's entry block: an alloca inside a loop would grow the stack at each turn.
            with builder.goto_entry_block():
                memory = builder.alloca(context.get_data_type(kind), math.prod(shape))
            memory.align = _VECTOR_BYTES
            return memory

        pointer: Any = types.CPointer
        return pointer(kind)(dtype), codegen

    memory: Any = intrinsic(stack_memory)

    def make(dtype: Any) -> Any:
        return carray(memory(dtype), shape)

    return register_jitable(forceinline=True)(make)
