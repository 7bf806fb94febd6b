"""The names of Playwright's private parts that pageworker uses, and of what its client keeps."""

PAGE_PARTS = ("keyboard", "local_storage", "mouse", "screencast", "session_storage", "touchscreen", "webmcp")
"""Objects that a page has as long as it lives. Names of `Page` in the client."""

CONTEXT_PARTS = ("clock", "credentials", "debugger", "request", "tracing")
"""The same of a browser context."""

PRIVATE_NAMES: dict[str, tuple[str, ...]] = {
    "Page of the API": ("_impl_obj",),
    "BrowserContext of the API": ("_impl_obj",),
    "BrowserContext": (
        "_add_listener",
        "_bindings",
        "_browser",
        "_connection",
        "_har_routers",
        "_timeout_settings",
        "remove_listener",
        *CONTEXT_PARTS,
    ),
    "Browser": ("_add_listener", "_browser_type", "remove_listener"),
    "BrowserType": ("_playwright",),
    "Playwright": ("selectors",),
    "Page": (
        "_bindings",
        "_browser_context",
        "_channel",
        "_closed_or_crashed_scope",
        "_guid",
        "_har_routers",
        "_initializer",
        "_main_frame",
        "_objects",
        "_opener",
        "_timeout_settings",
        "_type",
        *PAGE_PARTS,
        "event_names",
        "raw_listeners",
        "remove_listener",
    ),
    "Frame": ("_page", "_parent_frame", "_wrap_api_call"),
    "Locator": ("_frame",),
    "APIRequestContext": ("_channel",),
    "Artifact": ("create_read_stream", "delete"),
    "Channel": ("_object",),
    "Connection": (
        "_instrumentation",
        "_next_call_id",
        "_objects",
        "_on_event_listener_error",
        "dispatch",
        "once",
        "send_message_to_server",
    ),
    "Download": ("_artifact",),
    "Request": ("_redirected_from",),
    "Tracing": ("_channel",),
    "TracingChannel": ("harExport", "harStart", "tracingStart", "tracingStartChunk", "tracingStop", "tracingStopChunk"),
    "TimeoutSettings": (
        "_navigation_timeout",
        "_parent",
        "_timeout",
        "set_default_navigation_timeout",
        "set_default_timeout",
    ),
    "ImplToApiMapping": ("wrap_handler",),
    "Error": ("_message", "_name", "_stack"),
    "expect": ("_timeout",),
    "client_helper": ("_read_file",),
    "element_handle": ("convert_input_files",),
    "frame": ("_read_file", "convert_input_files"),
    "network": ("_read_file",),
}
"""Names by the object that has them, as `check` finds them. Imports of `playwright._impl` fail by themselves."""

LIVE_STATE: dict[str, tuple[str, ...]] = {
    "": ("_events", "_events_count", "_objects", "_pending_handlers", "_pw_api_instance_", "_warned"),
    "Page": ("_closed_or_crashed_scope", "_frames", "_viewport_size"),
    "Frame": ("_child_frames", "_load_states", "_name", "_url"),
    "BrowserContext": ("_pages", "_service_workers"),
    "BrowserType": ("_contexts",),
    "Tracing": ("_include_sources", "_is_live"),
    "Connection": ("_callbacks",),
}
"""Attributes of the client's objects that change with each use, by the name of the object; "" has those of all. What
they hold is proved elsewhere, ends with its document, or is set anew by each use."""

SHARED_STATE = {
    "BrowserContext": ("_bindings", "_har_routers", "_routes", "_web_socket_routes"),
    "Tracing": ("_additional_sources", "_har_id", "_har_recorders", "_is_tracing", "_stacks_id"),
    "Connection": ("_tracing_count",),
}
"""What jobs that run at the same time change in objects that they share. It is undone by the end of the last one."""
