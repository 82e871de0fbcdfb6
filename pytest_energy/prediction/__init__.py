"""Joules of a card that is not here, from counts: a fit on runs of that card, its error, and its file.

Rule 1: a prediction is a prediction: it is shown beside joules, never added, and no verdict hangs on it.
Rule 2: its error is that for networks which the fit did not have.
Rule 3: what no calibrated test is like gets a wider interval, or none, and the reason.
"""

from pytest_energy.prediction.calibration import Calibration, calibrated
from pytest_energy.prediction.features import features_of
from pytest_energy.prediction.observations import Observation, observation_of
from pytest_energy.prediction.predicting import with_predictions

__all__ = ["Calibration", "Observation", "calibrated", "features_of", "observation_of", "with_predictions"]
