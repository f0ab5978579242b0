"""An intruder who reads published results and tries to work out what a person answered.

Written apart from the product's own audit, and sharing none of its code: `bodies` invents memberships, `reading`
turns printed figures into constraints by the public rules, `solver` looks for three colleagues whose answers,
together with these, settle somebody else's. `publishers` holds the product's way of printing and worse ones.
"""
