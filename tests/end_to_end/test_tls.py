"""A cluster that encrypts its traffic trains the same model."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster, Security

from gbdist import DaskCatBoostClassifier, DaskPool
from gbdist.models.catboost_format import fixed_cbm_bytes


def test_same_model_over_tls() -> None:
    pytest.importorskip("cryptography", reason="the cryptography package is missing, which makes the certificates")
    rng = np.random.default_rng(8)
    values = rng.normal(size=(4_000, 5)).astype(np.float32)
    table = pd.DataFrame(values, columns=list("abcde")).assign(y=np.digitize(values[:, 0] + values[:, 1], [-1, 1]))
    expected = fixed_cbm_bytes(DaskCatBoostClassifier(iterations=6).fit(table, "y").model_)
    security = Security.temporary()
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            protocol="tls://",
            security=security,
            dashboard_address=":0",
            memory_limit=0,
        ) as cluster,
        Client(cluster, security=security, set_as_default=False) as client,
    ):
        assert all(address.startswith("tls://") for address in client.nthreads())
        estimator = DaskCatBoostClassifier(iterations=6, client=client)
        frame = dd.from_pandas(table, npartitions=3, sort=False)
        assert fixed_cbm_bytes(estimator.fit(frame, "y").model_) == expected
        with DaskPool(table, "y", client=client) as pool:
            assert fixed_cbm_bytes(estimator.fit(pool).model_) == expected
            assert estimator.feature_names_in_.tolist() == list("abcde")
            assert estimator.predict(table[list("abcde")]).shape[0] == 4_000
