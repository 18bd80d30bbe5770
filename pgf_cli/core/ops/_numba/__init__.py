"""What compiled CPU kernels share."""
