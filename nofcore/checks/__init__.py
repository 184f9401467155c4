"""What `nofcore.check` looks for, one module per question.

`reading`: can the files be read, and do they agree? `ranks`: do values and published ranks contradict each other?
`rederive`: do the published figures follow from one another by the rules? `unusual`: what is acceptable, but should
be known?

`rederive` runs the steps on one `case`: `metric_ranks`, `scores` (from values, where `pools` has all of them),
`misfits` (scores that fit no grid), `averages`, `domain_segments` and `results` (segments and league ranks; `standing`
finds the average that may be behind what does not follow, on arrays of `tables`). `doubts` says what cannot be told to
the last digit, `gaps` what is not given, `figures` how a result that does not follow is told. `published` judges what
nothing else rests on.
"""
