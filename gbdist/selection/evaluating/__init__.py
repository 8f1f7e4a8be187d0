"""How an estimator is evaluated on folds: what it predicts, its rows, all folds in lock-step or one after another."""
