"""Modules counted whole, because their meaning is more than their tensor operations."""

from students.counting.modules.attach import attached

__all__ = ["attached"]
