// Loaded into Playwright's driver before its own code (`--require`): see driver_cache.py.
"use strict";
const fs = require("fs");
const Module = require("module");
const path = require("path");
const vm = require("vm");
const { crc32 } = require("zlib");

const { DRIVER_CACHE_FOLDER: folder, DRIVER_CACHE_SEED: seed, DRIVER_CACHE_WRITE: writes } = process.env;
// The browser inherits what is left.
delete process.env.DRIVER_CACHE_FOLDER;
delete process.env.DRIVER_CACHE_SEED;
delete process.env.DRIVER_CACHE_WRITE;
delete process.env.NODE_OPTIONS;

const HEADER_BYTES = 8;
const [before, after] = Module.wrapper.map((text) => Buffer.from(text));
const load = Module._extensions[".js"];
const compiled = [];

// The two checksums of an entry: of the options and the source that it is compiled from, and of what follows.
function header(source, code) {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32LE(crc32(source, Number(seed)), 0);
  bytes.writeUInt32LE(crc32(code), 4);
  return bytes;
}

function entryOf(file) {
  return path.join(folder, `${path.basename(file)}.cache`);
}

// The compiled code, or undefined: V8 itself does not notice a damaged one.
function stored(file, source) {
  try {
    const entry = fs.readFileSync(entryOf(file));
    const code = entry.subarray(HEADER_BYTES);
    return header(source, code).equals(entry.subarray(0, HEADER_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}

// As Node.js runs a file of CommonJS, with compiled code. V8 compiles anew if the code is of another release of V8. The
// source becomes one string here, of 7 MB: a second one, as the argument of `_compile`, would live long.
function run(module, file, source, cachedData) {
  const script = new vm.Script(Buffer.concat([before, source, after]).toString(), {
    filename: file,
    cachedData,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (writes) compiled.push([file, source, script]);
  const { exports } = module;
  script.runInThisContext().call(exports, exports, Module.createRequire(file), module, file, path.dirname(file));
}

Module._extensions[".js"] = function (module, file) {
  if (!file.endsWith("Bundle.js")) return load(module, file);
  const source = fs.readFileSync(file);
  const code = writes ? undefined : stored(file, source);
  return writes || code !== undefined ? run(module, file, source, code) : load(module, file);
};

// At the end, so that functions which were compiled when they were first called are in it.
if (writes) {
  process.on("exit", () => {
    for (const [file, source, script] of compiled) {
      const code = script.createCachedData();
      const unfinished = `${entryOf(file)}.${process.pid}`;
      fs.writeFileSync(unfinished, Buffer.concat([header(source, code), code]));
      fs.chmodSync(unfinished, 0o644);
      fs.renameSync(unfinished, entryOf(file));
    }
  });
}
