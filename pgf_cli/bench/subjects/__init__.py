"""What is measured: models of given sizes with random weights, the trained sample, and bases and noise to read."""
