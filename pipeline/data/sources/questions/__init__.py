"""Sources of pictures with questions: the question is the text, its answer the class."""
