"""The same softmax regressions by torch, all problems in step: for a GPU. Imported only there."""
