"""Numbers only: streaming models, their exact derivatives, and the certificate that they are exact."""
