"""What `nofcore.check` looks for, one module per question.

`reading`: can the files be read, and do they agree? `ranks`: do values and published ranks contradict each other?
`rederive`: do the published figures follow from one another by the rules? `unusual`: what is acceptable, but should
be known?
"""
