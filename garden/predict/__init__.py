"""From files to a table of what a trained system says of them: `predict_run`, `predict_export`."""

from garden.predict.run import Predicted, Request, predict_export, predict_run

__all__ = ['Predicted', 'Request', 'predict_export', 'predict_run']
