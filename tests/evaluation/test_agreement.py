"""Agreement against published values and against another implementation."""

import numpy as np
import pytest

from echo_keypoints.evaluation.agreement import agreement, icc_2_1

# Shrout and Fleiss 1979, table 2: six targets, four judges.
RATINGS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)


def test_icc_of_the_paper_that_defined_it() -> None:
    assert icc_2_1(RATINGS) == pytest.approx(0.29, abs=0.005)


def test_icc_against_pingouin() -> None:
    pingouin, pandas = pytest.importorskip("pingouin"), pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    truth = rng.normal(45, 6, 40)
    ratings = np.stack([truth + 1.5 + rng.normal(0, 2, 40), truth], axis=1)
    long = pandas.DataFrame(
        [(i, j, value) for i, row in enumerate(ratings) for j, value in enumerate(row)],
        columns=["t", "j", "v"],
    )
    table = pingouin.intraclass_corr(long, targets="t", raters="j", ratings="v").set_index("Type")
    row = table.loc["ICC(A,1)" if "ICC(A,1)" in table.index else "ICC2"]
    assert icc_2_1(ratings) == pytest.approx(float(row["ICC"]), abs=1e-6)


def test_bias_and_limits_by_hand() -> None:
    found = agreement([11.0, 22, 33, 40], [10.0, 20, 30, 40])
    assert found.bias == 1.5 and found.count == 4
    assert found.sd == pytest.approx(np.sqrt(5 / 3))
    assert found.high == pytest.approx(1.5 + 1.96 * np.sqrt(5 / 3))
    assert found.low == pytest.approx(1.5 - 1.96 * np.sqrt(5 / 3))


def test_what_is_not_defined_is_nan() -> None:
    one = agreement([1.0], [2.0])
    assert one.bias == -1 and np.isnan(one.sd) and np.isnan(one.icc)
    assert np.isnan(agreement([], []).bias)
    assert np.isnan(icc_2_1(np.ones((3, 2))))
    with pytest.raises(ValueError, match="same length"):
        agreement([1.0], [1.0, 2.0])
