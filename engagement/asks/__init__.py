"""Asks both ways: practices ask their body and rate what was done; the body's own requests stand beside them."""
