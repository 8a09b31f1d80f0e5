"""From numbers to verdicts. Pure: the same run always gives the same verdicts.

model                  metrics, claims and judgements as data
observed               what a claim without a number looks at
rows                   the article's table, judged
outcome                what came out, in the words of a prediction
words                  sentences, and numbers with their units
"""
