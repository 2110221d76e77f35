"""Counts times constants: from a workload, a machine and a site to an energy report."""
