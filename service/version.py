"""Version: what this build calls itself; equal to the project's own."""

VERSION = "0.1.0"
