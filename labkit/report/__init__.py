"""A run as something one can show. Reads runs and judged rows, nothing else.

terminal, as_json      in the terminal; for other programs
article                the nine rows over all labs: which run each part comes from, what is missing
article_terminal       the same in the terminal
html, compare, merge   one run or all labs, two of them, or a class's as a page
series, streams        what is drawn: repeats and stages; probe streams
tables, quantities     what tables show; names of values
as_text                a fact as text, wherever it is read
live, live_view        what a probe stream says right now
"""
