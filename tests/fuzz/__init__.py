"""Files in the official format, damaged in every way that we could think of."""
