"""What the tests of firn stand on: see HACKING.md, and tests/run."""
