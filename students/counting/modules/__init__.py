"""Modules counted whole, because their meaning is more than their tensor operations."""
