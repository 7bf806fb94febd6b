"""The page pool of a runner: page states, slots, the recorder of side effects, and recycling."""
