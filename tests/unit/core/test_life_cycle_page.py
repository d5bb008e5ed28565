from docs.life_cycle import PAGE, written


def test_the_page_shows_the_tables_that_the_server_works_by() -> None:
    """Where this fails, `python docs/life_cycle.py` writes the page anew."""
    page = PAGE.read_text()

    assert written(page) == page
