"""Object stores: one protocol for objects and their versions, one module or package per store."""
