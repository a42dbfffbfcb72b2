"""The flow: grid -> config -> dataset -> folds -> features -> models -> predictions -> scores -> report."""
