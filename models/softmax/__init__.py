"""Penalised multinomial logistic regression, all folds and strengths solved together."""
