"""What the runner reads in the files of the installed driver is there."""

from pageworker_runner.pages.playwright_internals.driver_files import clock_source, disabled_features, node_program


def test_the_script_of_the_clock_is_found_in_the_installed_driver() -> None:
    assert "function inject(globalObject" in clock_source()


def test_playwrights_own_list_is_found_in_the_installed_driver() -> None:
    found = disabled_features()
    assert {"PaintHolding", "MediaRouter", "HttpsUpgrades", "DestroyProfileOnBrowserClose"} <= set(found)
    assert all(name.isidentifier() for name in found)


def test_node_is_the_program_that_comes_with_playwright() -> None:
    assert node_program().name == "node"
    assert node_program().is_file()
