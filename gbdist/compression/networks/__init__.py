"""Smaller networks, and networks of trees and trees of networks: entry points, which may use the cluster."""

from gbdist.compression.networks.distil import distil_to_network, distil_to_trees
from gbdist.compression.networks.prune import prune_network
from gbdist.compression.networks.quantize import prediction_bounds, quantize_network

__all__ = ["distil_to_network", "distil_to_trees", "prediction_bounds", "prune_network", "quantize_network"]
