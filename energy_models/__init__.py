"""Physics: what a workload costs on a machine. Never imports torch."""
