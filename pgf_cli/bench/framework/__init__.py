"""What every study stands on: subjects, contestants, timing, figures, files."""
