"""Items by their vectors: found by words and pictures, recommended, tagged."""
