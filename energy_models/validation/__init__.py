"""Predicted against measured: every published row that the models are held against, fitted or held out."""
