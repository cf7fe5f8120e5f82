"""
Real processes, really killed: what a store is worth when its workers die, stop, or hear nothing.

`storm` keeps many workers busy on one store and kills them at random; `matrix` lets each fault happen on both sides of
every commit. Afterwards `verdict` compares the store with what was acknowledged, and with what ran. `segue chaos` does
both from the command line.
"""
