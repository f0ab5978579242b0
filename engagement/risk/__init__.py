"""Risk of disengagement: arrays and small dataclasses in, small dataclasses out.

Pure: no database, no clock, no input or output. The rest of the product calls `assess.assess` at a round's close and
`assess.refit` after it; what may be printed of a practice is `assess.Assessment.row`. In the order in which data goes:
`evidence` (whose answers may speak), `filter` (attitude and participation over rounds), `segments` (published rules),
`assess` (all of it, once a round); beside them `clusters`, `judge` and `layer`.
"""
