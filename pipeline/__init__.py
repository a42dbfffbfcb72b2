"""The flow: grid -> config -> data -> folds -> features -> models -> scores -> report."""
