"""What a snapshot leaves out: folders that Chromium fills again, and files of one run. Pure."""

CACHES = {
    "BrowserMetrics": "metrics of one run, 4 MB each",
    "Crashpad": "crash reports of one host",
    "Default/Cache": "responses by HTTP: the site sends them again",
    "Default/Code Cache": "compiled scripts, for one build of V8",
    "Default/DawnGraphiteCache": "compiled shaders",
    "Default/DawnWebGPUCache": "compiled shaders",
    "Default/GPUCache": "compiled shaders",
    "Default/Shared Dictionary/cache": "dictionaries of the HTTP cache",
    "Default/blob_storage": "blobs of pages that were open",
    "GrShaderCache": "compiled shaders",
    "GraphiteDawnCache": "compiled shaders",
    "Safe Browsing": "lists that Chromium loads again",
    "ShaderCache": "compiled shaders",
    "component_crx_cache": "packages of components, loaded again",
    "extensions_crx_cache": "packages of extensions, loaded again",
    "optimization_guide_model_store": "models that Chromium loads again",
    "BrowserMetrics-spare.pma": "space for the metrics of the next run",
    "Pageworker Opening": "the worker's own marker of one opening",
    "DevToolsActivePort": "the port of one run",
    "SingletonCookie": "Chromium's lock: it names a browser of one host",
    "SingletonLock": "Chromium's lock: it names a browser of one host",
    "SingletonSocket": "Chromium's lock: it names a browser of one host",
}
"""Path below the profile's folder, and why it is not worth a transfer.

What a site stored stays, also where it is called a cache: Cache API, service workers, IndexedDB.
"""


def is_cache(path: str) -> bool:
    """Whether a snapshot leaves out this file or folder, and all below it."""
    return path in CACHES
