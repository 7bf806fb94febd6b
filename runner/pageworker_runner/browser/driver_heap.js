// Loaded into Playwright's driver before its own code (`--require`): see driver_heap.py.
"use strict";
require("v8").setFlagsFromString("--heap-growing-percent=20");
// The browser inherits what is left.
delete process.env.NODE_OPTIONS;
