"""Learning: small decoders, their quantised and spiking variants, and what they did on recordings."""
