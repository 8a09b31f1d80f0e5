"""A lab's guide, labs/<lab>/README.md.

text, model, rules     its Markdown, as data, and what is wrong with it
walk, fence            show, run, check; one fence in a shell of its own
figures                the blocks made from the stored run
nine_rows              the README's table, from the stored runs of all labs
"""
