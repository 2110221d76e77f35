"""A feasibility study for a design review: tables of LaTeX, figures of PDF and PNG."""
