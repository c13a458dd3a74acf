"""Weights that Python and Rust both compute, so that no weight files are needed.

A weight is an integer from -127 to 127, divided by 128 and multiplied by a power of two, derived from a hash of the
tensor's name and the element's index: exact in f32, f16 and bf16. `core/nn/src/parity/formula.rs` is the Rust
version.
"""

import numpy as np

MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


def seed(name: str) -> int:
    """FNV-1a, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def units(name: str, count: int) -> np.ndarray:
    """Numbers k/128, -127 <= k <= 127, by the finaliser of SplitMix64."""
    with np.errstate(over="ignore"):
        x = np.uint64(seed(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return ((x % np.uint64(255)).astype(np.int64) - 127).astype(np.float32) / 128.0


def weight(name: str, shape, less_one: bool) -> np.ndarray:
    """The weight with this name; norms are centred at 1 (or at 0 if the family stores an offset from 1)."""
    values = units(name, int(np.prod(shape))).reshape(shape)
    if name.endswith("norm.weight"):
        return values if less_one else 1 + values
    if "embed_tokens" in name or "lm_head" in name:
        return values
    return values / 4
