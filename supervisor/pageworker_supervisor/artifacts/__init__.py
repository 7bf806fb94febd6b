"""Screenshots, HTML and other files that a job leaves."""
