"""``bm25s``, loaded so that it never uses JAX: every module of this library takes it from here.

Where JAX is installed, bm25s calls it as soon as it is imported, to choose the best of scores. JAX then takes three
quarters of a GPU's memory for the process, or fails where models have that memory. NumPy chooses them here. JAX itself
is left as it was: the process may use it for other things.
"""

import sys

__all__ = ["bm25s"]

_NAMES = ("jax", "jax.lax")
_before = {name: sys.modules[name] for name in _NAMES if name in sys.modules}
# To Python, a module that is None cannot be imported.
sys.modules.update(dict.fromkeys(_NAMES))  # type: ignore[arg-type]
try:
    import bm25s
finally:
    for _name in _NAMES:
        del sys.modules[_name]
    sys.modules.update(_before)
