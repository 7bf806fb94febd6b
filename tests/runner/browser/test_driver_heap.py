"""The driver's options for its memory reach V8, and nothing of them reaches the browser."""

import json
import subprocess
from typing import Any

from pageworker_runner.browser import driver_heap
from pageworker_runner.pages.playwright_internals.driver_files import node_program

SCRIPT = """
const spaces = () => Object.fromEntries(require("v8").getHeapSpaceStatistics().map((each) => [each.space_name, each]));
const kept = Array.from({length: 300000}, (_, number) => ({number}));
const most = {young: 0, old: 0, inherited: Object.keys(process.env)};
// The first collection is by V8's bound of a new heap. Each has a bound for the next.
require("v8").setFlagsFromString("--expose-gc");
require("vm").runInNewContext("gc")();
let next = 0;
function turn() {
  // Each lives long enough to become old, and then it is garbage.
  for (let made = 0; made < 20000; made++, next++) kept[next % kept.length] = {number: next};
  const {new_space, old_space} = spaces();
  most.young = Math.max(most.young, new_space.space_size);
  if (next > 2 * kept.length) most.old = Math.max(most.old, old_space.space_used_size);
  // A pause, as the driver has: V8 marks beside the work.
  if (next < 5000000) setTimeout(turn, 3); else console.log(JSON.stringify(most));
}
turn();
"""


def heap(environment: dict[str, str]) -> dict[str, Any]:
    """The most bytes of a process that keeps the same number of objects all the time."""
    command = [str(node_program()), "-e", SCRIPT]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    most: dict[str, Any] = json.loads(ended.stdout)
    return most


def test_a_driver_has_a_small_young_generation_and_collects_early() -> None:
    ours, plain = heap({"NODE_OPTIONS": driver_heap.node_options()}), heap({})
    assert ours["young"] <= 2 * driver_heap.YOUNG_MB * 1024**2 < plain["young"]
    assert ours["old"] <= 0.6 * plain["old"]
    assert ours["inherited"] == []
