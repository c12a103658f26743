"""Long lives: how long a row of the ``long`` setting stays open and what happens to it afterwards, as a closed form.

80 % end within 1.4 to 43 minutes, 14 % within 3 days, 5 % between 3 and 20 days, and 1 % are held and end between 20 and 45
days. 3 % end cancelled, without a stamp of the end. 1 % of the others are taken back 0.1 to 25 days after their end, without
a new stamp.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_nexus.sandbox.chance import scatter, share
from airflow_provider_nexus.sandbox.stamps import DAY

LONGEST_LIFE = 70 * DAY
"""No row of a long life changes by itself after this: 45 days until its end and 25 until it is taken back."""

_BANDS = (
    (0.80, DAY // 1000, DAY * 3 // 100),
    (0.94, DAY * 3 // 100, 3 * DAY),
    (0.99, 3 * DAY, 20 * DAY),
    (1, 20 * DAY, 45 * DAY),
)
"""Share of rows up to here, and between which ages they end."""
CANCELLED_SHARE, _TAKEN_BACK_SHARE = 0.03, 0.01
_SOONEST_BACK, _LATEST_BACK = DAY // 10, 25 * DAY


@dataclass(frozen=True, slots=True)
class Life:
    """What is in store for a row.

    :param ends: microseconds from its start to its end
    :param settles: microseconds until it is held, or to its end for one that is not held
    :param is_cancelled: whether it ends cancelled, without a stamp
    :param taken_back: microseconds from its start until it is taken back; 0 for never
    """

    ends: int
    settles: int
    is_cancelled: bool
    taken_back: int


def long_life(seed: int, cancelled: float = CANCELLED_SHARE) -> Life:
    """The life that a row's own seed stands for.

    :param cancelled: share of such rows that ends cancelled
    """
    pick = share(scatter(seed, 0))
    _, low, high = next(band for band in _BANDS if pick < band[0])
    within = scatter(seed, 1)
    ends = low + within % (high - low)
    settles = ends if high < 45 * DAY else _BANDS[0][1] + within % (_BANDS[0][2] - _BANDS[0][1])
    is_cancelled = share(scatter(seed, 2)) < cancelled
    later = _SOONEST_BACK + scatter(seed, 4) % (_LATEST_BACK - _SOONEST_BACK)
    taken = not is_cancelled and share(scatter(seed, 3)) < _TAKEN_BACK_SHARE
    return Life(ends, settles, is_cancelled, ends + later if taken else 0)
