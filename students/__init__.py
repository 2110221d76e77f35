"""Learning: small decoders, their quantised and spiking forms, and what they did on recordings."""
