"""Boards that QEMU emulates, and how a program is laid out on them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Board:
    """An emulated board.

    Parameters
    ----------
    machine : str
        QEMU's name.
    core : str
        The compiler's name of the processor.
    code, data : int
        First addresses of the memories for code and constants, and for everything that changes.
    size : int
        Of either memory [bytes].
    """

    machine: str
    core: str
    code: int
    data: int
    size: int


BOARDS = {
    "cortex-m3": Board("mps2-an385", "cortex-m3", 0x0, 0x20000000, 4 << 20),
    "cortex-m4": Board("mps2-an386", "cortex-m4", 0x0, 0x20000000, 4 << 20),
    "cortex-m33": Board("mps2-an505", "cortex-m33", 0x10000000, 0x38000000, 4 << 20),
}
"""By processor. Only integer instructions are used, so that none needs a floating-point unit."""

VECTORS = """/* First words of the memory: top of the stack, and newlib's start. */
extern char __stack;
extern void _start(void);

static void halted(void) { for (;;) { } }

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    &__stack, (void *)_start, (void *)halted, (void *)halted, (void *)halted, (void *)halted, (void *)halted,
};
"""

LAYOUT = """MEMORY {{ code : ORIGIN = {code:#x}, LENGTH = {size:#x}
         data : ORIGIN = {data:#x}, LENGTH = {size:#x} }}
ENTRY(_start)
SECTIONS {{
  .text : {{ KEEP(*(.vectors)) *(.text*) KEEP(*(.init)) KEEP(*(.fini)) *(.rodata*) }} > code
  .ARM.exidx : {{ *(.ARM.exidx*) }} > code
  .init_array : {{ KEEP(*(.preinit_array)) KEEP(*(.init_array*)) KEEP(*(.fini_array*)) }} > code
  .data : {{ *(.data*) }} > data
  .bss : {{ __bss_start__ = .; *(.bss*) *(COMMON) __bss_end__ = .; }} > data
  end = .;
  __end__ = .;
  __stack = ORIGIN(data) + LENGTH(data);
}}
"""
"""The emulator loads every section to where it runs, so that nothing is copied at the start."""
