"""Scores, Pareto fronts and feasibility."""
