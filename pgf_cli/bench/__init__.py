"""The paper's experiments and our own figures of speed: each states a claim, measures it, and says whether it holds."""
