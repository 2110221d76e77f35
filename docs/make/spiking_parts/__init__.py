"""Parts of the page of spiking decoders: rows of its runs, findings, words, and where a layer breaks even."""
