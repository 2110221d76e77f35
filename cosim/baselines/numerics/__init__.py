"""What several classical decoders compute with: fixed point, filters, spectra, small algebra, and their exact work."""
