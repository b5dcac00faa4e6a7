"""Media: bytes or a file in, a waveform or frames out, decoded in a throw-away child."""
