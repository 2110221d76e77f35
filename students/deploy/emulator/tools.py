"""The compilers and the emulator, which are programs of the system."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from energy_models.errors import StudentError

ARM_GCC, ARM_NM, EMULATOR, HOST_CC = "arm-none-eabi-gcc", "arm-none-eabi-nm", "qemu-system-arm", "gcc"
PACKAGES = {
    ARM_GCC: "gcc-arm-none-eabi", ARM_NM: "binutils-arm-none-eabi", EMULATOR: "qemu-system-arm", HOST_CC: "gcc",
}  # fmt: skip
"""Debian's package of each program."""
LIBRARY = "libnewlib-arm-none-eabi"


def absent_tools() -> tuple[str, ...]:
    """Return the Debian packages that the emulator needs and that are not installed."""
    packages = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if PACKAGES[ARM_GCC] not in packages and not _has_library():
        packages.append(LIBRARY)
    return tuple(packages)


def _has_library() -> bool:
    found = run([ARM_GCC, "-print-file-name=rdimon.specs"], "looking for newlib").strip()
    return Path(found).is_absolute()


def check_tools() -> None:
    """Raise where a program is not installed.

    Raises
    ------
    StudentError
        With the packages that have it.
    """
    if missing := absent_tools():
        raise StudentError(
            "the emulator's programs are not installed", where="students.deploy.emulator",
            remedy=f"Install {', '.join(missing)} (names of Debian's packages)",
        )


def run(command: Sequence[str], what: str, *, timeout_s: float = 600.0) -> str:
    """Run a program and return what it prints.

    Raises
    ------
    StudentError
        It fails, or takes longer.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise StudentError(
            f"{what}: {command[0]} ran for more than {timeout_s:g} s", where="students.deploy.emulator",
            remedy="Export fewer test vectors",
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise StudentError(
            f"{what}: {command[0]} failed ({said})", where="students.deploy.emulator",
            remedy="Export the decoder again; its C code was changed, or the compiler takes other options",
        )
    return done.stdout
