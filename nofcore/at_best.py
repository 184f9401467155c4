"""What a trust's average would be if one of its metrics had the best score, all else as it is.

Other than by `nofcore.incentives`, no value is followed through its pool: so scores count too whose values or pools are not at hand.
"""

from __future__ import annotations

import pandas as pd

from nofcore import league, scoring
from nofcore.framework import Framework


def averages_at_best(scores: pd.Series, framework: Framework) -> pd.Series:
    """The average, in whole units of its last decimal, with each metric in turn at the best score, by metric_id.

    ``scores``: of one trust by metric_id, as they enter its average. A combined score of which both parts are among them follows from these.
    """
    read = [entry for entry in framework.combined if {entry.rows, entry.columns} <= set(scores.index)]
    single = scores.drop(labels=[entry.score for entry in read], errors="ignore")
    cases = pd.DataFrame([single.to_dict()] * len(single), index=single.index)
    for name in single.index:
        cases.loc[name, name] = framework.scale.best
    long = cases.rename_axis("trust_code").reset_index()
    long = long.melt(id_vars="trust_code", var_name="metric_id", value_name="score")
    parts = [scoring.combine(long, entry, framework)[long.columns] for entry in read]
    items = league.items(pd.concat([long, *parts], ignore_index=True), framework)
    values, rule = items.values.to_numpy(), framework.average
    found = league.averages(values, league.weights_of(items, framework, values), rule.decimals, rule.how)
    return pd.Series(found, items.values.index)
