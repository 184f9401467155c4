"""The core of the NOF kit: rebuild and test the NHS league tables of trusts in England.

Nothing heavy is imported here; import the module that does the job you want:

``nofcore.release``    figures of a quarter, embedded or from NHS England's files
``nofcore.framework``  the rules of a year
``nofcore.scoring``    values to metric scores
``nofcore.league``     averages, segments and ranks
``nofcore.reproduce``  rebuilt against published
"""

__version__ = "0.1.0"
