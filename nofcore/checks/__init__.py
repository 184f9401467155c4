"""What `nofcore.check` looks for, one module per question.

`reading`: can the files be read, and do they agree? `ranks`: do values and published ranks contradict each other?
`rederive`: do the published figures follow from one another by the rules? `unusual`: what is acceptable, but should
be known?

`rederive` runs the steps on one `case`: `metric_ranks`, `scores` (from values), `misfits` (scores that fit no grid),
`averages`, `domain_segments` and `results` (segments and league ranks). `doubts` says what cannot be told to the last
digit, `figures` how a result that does not follow is told.
"""
