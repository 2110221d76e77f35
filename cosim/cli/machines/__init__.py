"""Commands that make machines: from measurements, by scaling laws, sized to networks."""
