"""Risk of disengagement: arrays and small dataclasses in, small dataclasses out."""
